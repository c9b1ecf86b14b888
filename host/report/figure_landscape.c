/* Throughput over power of the devices here among published ones, with lines of equal
 * efficiency. Its numbers are those of the table "efficiency". */
#include <math.h>
#include <string.h>

#include "report/figure.h"

/* Lines at 10^n GOP/s/W. */
enum { IsoFirst = -2, IsoLast = 5, Height = 680, MaxLabels = 96 };

/* Where the axes lie in the picture, near enough to keep names apart. */
enum { Left = 70, Right = 830, Top = 75, Bottom = 545, Letter = 6, Line = 13 };

static const struct {
  const char *name, *title;
  int point; /* crosses of several kinds: neither filled nor open */
} classes[] = {
    {"gpu", "GPU", 1}, {"tpu", "TPU", 2}, {"fpga", "FPGA", 3}, {"cpu", "CPU", 0}};
enum { Classes = sizeof classes / sizeof classes[0] };

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "efficiency");
}

static int is_drawn(const systole_table *t, size_t row) {
  const char *class = systole_table_get(t, row, "class")->text;
  return systole_table_get(t, row, "gops")->kind != SYSTOLE_KIND_UNKNOWN &&
         systole_table_get(t, row, "power_w")->kind != SYSTOLE_KIND_UNKNOWN &&
         systole_table_get(t, row, "power_w")->low > 0 && class != NULL &&
         strcmp(class, "supercomputer") != 0;
}

static int is_published(const systole_table *t, size_t row) {
  return systole_table_get(t, row, "gops")->kind == SYSTOLE_KIND_PUBLISHED;
}

static int present(const systole_report *report) {
  const systole_table *t = table_of(report);
  for (size_t row = 0; t != NULL && row < systole_table_rows(t); row++) {
    if (is_drawn(t, row)) return 1;
  }
  return 0;
}

static int height(const systole_report *report) {
  (void)report;
  return Height;
}

/* ---- names beside points, as far as there is room ---------------------------------- */

typedef struct box {
  double left, top, right, bottom;
} box;

typedef struct canvas {
  systole_range x, y;
  box taken[4 * MaxLabels];
  size_t count;
} canvas;

static double across(const canvas *c, double x) {
  return Left + (Right - Left) * log(x / c->x.from) / log(c->x.to / c->x.from);
}

static double down(const canvas *c, double y) {
  return Bottom - (Bottom - Top) * log(y / c->y.from) / log(c->y.to / c->y.from);
}

static int is_free(const canvas *c, const box *b) {
  if (b->left < Left || b->right > Right + 100 || b->top < Top || b->bottom > Bottom)
    return 0;
  for (size_t i = 0; i < c->count; i++) {
    const box *o = &c->taken[i];
    if (b->left < o->right && o->left < b->right && b->top < o->bottom &&
        o->top < b->bottom) {
      return 0;
    }
  }
  return 1;
}

static void take(canvas *c, const box *b) {
  if (c->count < sizeof c->taken / sizeof c->taken[0]) c->taken[c->count++] = *b;
}

static void put_name(FILE *script, canvas *c, double x, double y, const char *name,
                     const char *colour) {
  const double px = across(c, x), py = down(c, y);
  const double width = Letter * (double)strlen(name);
  const struct {
    box place;
    const char *how;
  } places[] = {
      {{px + 8, py - Line / 2.0, px + 8 + width, py + Line / 2.0}, "left offset 0.9,0"},
      {{px - 8 - width, py - Line / 2.0, px - 8, py + Line / 2.0}, "right offset -0.9,0"},
      {{px - width / 2, py - 6 - Line, px + width / 2, py - 6}, "center offset 0,0.65"},
      {{px - width / 2, py + 6, px + width / 2, py + 6 + Line}, "center offset 0,-0.7"}};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    if (!is_free(c, &places[i].place)) continue;
    take(c, &places[i].place);
    fputs("set label ", script);
    systole_figure_string(script, name);
    fprintf(script, " at %.6g,%.6g %s font ',11' textcolor rgb '%s'\n", x, y,
            places[i].how, colour);
    return;
  }
}

/* Points first: no name may lie on one. */
static void put_names(FILE *script, canvas *c, const systole_table *t,
                      const char *colour) {
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    const double px = across(c, systole_table_get(t, row, "power_w")->value);
    const double py = down(c, systole_table_get(t, row, "gops")->value);
    take(c, &(box){px - 6, py - 6, px + 6, py + 6});
  }
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row) || !is_published(t, row)) continue;
    const char *device = systole_table_get(t, row, "device")->text;
    const char *format = systole_table_get(t, row, "format")->text;
    char name[128];
    if (strncmp(device, "NVIDIA ", 7) == 0) device += 7;
    if (strncmp(device, "Google ", 7) == 0) device += 7;
    if (strncmp(device, "AMD ", 4) == 0) device += 4;
    snprintf(name, sizeof name, "%s %s", device, format != NULL ? format : "");
    put_name(script, c, systole_table_get(t, row, "power_w")->value,
             systole_table_get(t, row, "gops")->value, name, colour);
  }
}

/* ---- the drawing ----------------------------------------------------------------- */

static void put_iso_labels(FILE *script, const canvas *c, systole_theme theme) {
  for (int decade = IsoFirst; decade <= IsoLast; decade++) {
    const double efficiency = pow(10, decade);
    const int right = efficiency * c->x.to > c->y.from && efficiency * c->x.to <= c->y.to;
    const int top = c->y.to / efficiency > c->x.from && c->y.to / efficiency < c->x.to;
    if (!right && !top) continue;
    fprintf(script, "set label '%g GOP/s/W' at %g,%g %s textcolor rgb '%s'\n", efficiency,
            right ? c->x.to : c->y.to / efficiency,
            right ? efficiency * c->x.to : c->y.to,
            right ? "left offset 0.6,0" : "center offset 0,0.6",
            systole_palette_muted(theme));
  }
}

static void put_point(FILE *script, const systole_table *t, size_t row) {
  const systole_cell *power = systole_table_get(t, row, "power_w");
  fprintf(script, "%.9g %.9g %.9g %.9g\n", power->value,
          systole_table_get(t, row, "gops")->value, power->low, power->high);
}

static int put_class(FILE *script, const systole_table *t, const char *class) {
  int count = 0;
  fprintf(script, "$%s << EOD\n", class);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row) || !is_published(t, row)) continue;
    if (strcmp(systole_table_get(t, row, "class")->text, class) != 0) continue;
    put_point(script, t, row);
    count++;
  }
  fputs("EOD\n", script);
  return count;
}

static size_t device_of(const systole_report *report, const char *name) {
  for (size_t d = 0; d < report->device_count; d++) {
    if (strcmp(report->devices[d].name, name) == 0) return d;
  }
  return 0;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  const systole_table *t = table_of(report);
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    const systole_cell *power = systole_table_get(t, row, "power_w");
    const systole_cell *gops = systole_table_get(t, row, "gops");
    left = fmin(left, power->low);
    right = fmax(right, power->high);
    low = fmin(low, gops->value);
    high = fmax(high, gops->value);
  }
  systole_figure_frame(script, theme);
  canvas c = {.x = systole_figure_log_range(script, 'x', left, right)};
  c.y = systole_figure_log_range(script, 'y', low, high);
  fputs(
      "set format x '%g'\nset format y '%.0s%c'\nset grid noxtics noytics\n"
      "set xlabel 'power in W; of the devices here with its bounds'\n"
      "set ylabel 'GOP/s (GFLOP/s)'\nset samples 200\nset rmargin 16\nset tmargin 4.5\n"
      "set title offset 0,1.2\n",
      script);
  put_iso_labels(script, &c, theme);
  put_names(script, &c, t, systole_palette_ink(theme));
  int counts[Classes];
  for (int i = 0; i < Classes; i++) counts[i] = put_class(script, t, classes[i].name);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row) || is_published(t, row)) continue;
    fprintf(script, "$here%zu << EOD\n", row);
    put_point(script, t, row);
    fputs("EOD\n", script);
  }
  fputs("plot ", script);
  for (int decade = IsoFirst; decade <= IsoLast; decade++) {
    fprintf(script, "1e%d * x with lines lc rgb '%s' lw 1.2 notitle, \\\n  ", decade,
            systole_palette_faint(theme));
  }
  for (int i = 0; i < Classes; i++) {
    if (counts[i] == 0) continue;
    fprintf(script, "$%s using 1:2 with points lc rgb '%s' lw 1.6 ps 1.1 ",
            classes[i].name, systole_palette_muted(theme));
    if (classes[i].point > 0) {
      fprintf(script, "pt %d ", classes[i].point);
    } else {
      fputs("pt '=' ", script);
    }
    fprintf(script, "title '%s: published peak and power', \\\n  ", classes[i].title);
  }
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row) || is_published(t, row)) continue;
    const systole_cell *power = systole_table_get(t, row, "power_w");
    const systole_cell *gops = systole_table_get(t, row, "gops");
    const char *name = systole_table_get(t, row, "device")->text;
    const size_t d = device_of(report, name);
    const int modelled = gops->kind != SYSTOLE_KIND_MEASURED;
    char legend[192];
    snprintf(legend, sizeof legend, "%s: %s, its power %s", name,
             systole_kind_word(gops->kind), systole_kind_word(power->kind));
    fprintf(script,
            "$here%zu using 1:2:3:4 with xerrorbars lc rgb '%s' lw 1.6 pt %d ps 1.5 "
            "title ",
            row, systole_palette_device(report, d, theme),
            systole_palette_point(d, modelled));
    systole_figure_string(script, legend);
    fputs(", \\\n  ", script);
  }
  fputs("NaN notitle\n", script);
}

const systole_figure systole_figure_landscape = {
    .name = "landscape",
    .title = "Throughput over power, beside published devices",
    .caption =
        "Thin lines join devices of equal efficiency. Crosses are published peaks over "
        "thermal design power or measured busy power; filled marks are throughput "
        "measured here, open marks throughput modelled from exact cycles, both of the "
        "best product of this run, with the bounds of their power. Names are left out "
        "where they would overlap; every point stands in the table, with its source. "
        "Supercomputers are in the table only.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "efficiency"};
