#include "report/palette.h"

#include <string.h>

typedef struct pair {
  const char *light, *dark;
} pair;

static const pair colours[] = {
    {"#0072b2", "#4fa8e0"}, /* blue */
    {"#d55e00", "#f0843c"}, /* vermilion */
    {"#009e73", "#35c79c"}, /* bluish green */
    {"#aa4a86", "#dc8fbc"}, /* reddish purple, darkened for white paper */
    {"#b07d00", "#e6b73f"}, /* orange, likewise */
    {"#3d8fb8", "#7cc6ee"}, /* sky blue, likewise */
    {"#332288", "#a79bf0"}, /* indigo, wine and olive, after Paul Tol's muted set */
    {"#882255", "#e27faf"}, {"#6f6f1d", "#c9c964"}, {"#555555", "#b8b8b8"},
};
enum { Colours = sizeof colours / sizeof colours[0] };

/* Devices that most reports have keep their colour whatever else is in them. */
static const struct {
  const char *name;
  int colour;
} known[] = {{"rtl:16", 0}, {"rtl:64", 1}, {"cpu", 2},
             {"rtl:32", 3}, {"rtl:8", 4},  {"rtl:4", 5}};

static int known_colour(const char *name) {
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) == 0) return known[i].colour;
  }
  return -1;
}

static const char *pick(pair colour, systole_theme theme) {
  return theme == SYSTOLE_THEME_DARK ? colour.dark : colour.light;
}

const char *systole_palette_device(const systole_report *report, size_t index,
                                   systole_theme theme) {
  const int own = known_colour(report->devices[index].name);
  if (own >= 0) return pick(colours[own], theme);
  /* The others take, in order, what no known device of this report has. */
  unsigned taken = 0;
  size_t before = 0;
  for (size_t i = 0; i < report->device_count; i++) {
    const int colour = known_colour(report->devices[i].name);
    if (colour >= 0) {
      taken |= 1u << colour;
    } else if (i < index) {
      before++;
    }
  }
  for (int colour = 0; colour < Colours; colour++) {
    if ((taken >> colour & 1u) == 0 && before-- == 0) return pick(colours[colour], theme);
  }
  return pick(colours[Colours - 1], theme);
}

int systole_palette_point(size_t index, int modelled) {
  /* circle, square, triangle, diamond, inverted triangle, pentagon: open form, then
   * filled */
  static const int shapes[][2] = {{6, 7}, {4, 5}, {8, 9}, {12, 13}, {10, 11}, {14, 15}};
  return shapes[index % (sizeof shapes / sizeof shapes[0])][modelled ? 0 : 1];
}

const char *systole_palette_ledger(int part, systole_theme theme) {
  static const pair parts[SystoleLedgerParts] = {
      {"#0072b2", "#4fa8e0"}, /* active */
      {"#b9c2c9", "#5d6871"}, /* start */
      {"#8d99a3", "#85929d"}, /* drain */
      {"#cc79a7", "#dc8fbc"}, /* output_stall */
      {"#e69f00", "#f0b429"}, /* input_stall */
      {"#d55e00", "#f0743c"}, /* weight_stall */
      {"#f0e442", "#f5ec76"}, /* weight_shift */
      {"#3b4248", "#d7dde2"}, /* other */
  };
  return pick(parts[part], theme);
}

const char *systole_palette_ink(systole_theme theme) {
  return theme == SYSTOLE_THEME_DARK ? "#e8eaed" : "#1f2328";
}
const char *systole_palette_faint(systole_theme theme) {
  return theme == SYSTOLE_THEME_DARK ? "#3a4149" : "#ccd3d9";
}
const char *systole_palette_muted(systole_theme theme) {
  return theme == SYSTOLE_THEME_DARK ? "#9aa4ae" : "#67717b";
}
