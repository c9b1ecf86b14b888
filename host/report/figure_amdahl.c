/* Speed-up of a whole application over the speed-up of its offloaded part: the law for
 * the measured share, its limit, and what each device reached. Table "amdahl". */
#include <math.h>
#include <string.h>

#include "report/figure.h"

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "amdahl");
}

static int is_drawn(const systole_table *t, size_t row) {
  return systole_table_get(t, row, "offloaded_percent")->kind != SYSTOLE_KIND_UNKNOWN;
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
  return 520;
}

static size_t device_of(const systole_report *report, const char *name) {
  for (size_t d = 0; d < report->device_count; d++) {
    if (strcmp(report->devices[d].name, name) == 0) return d;
  }
  return 0;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  const systole_table *t = table_of(report);
  double p = 0, limit = 1, left = 1, right = 1, low = 1, high = 1;
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    const double s = systole_table_get(t, row, "s")->value;
    p = systole_table_get(t, row, "offloaded_percent")->value / 100;
    limit = systole_table_get(t, row, "limit")->value;
    left = fmin(left, s);
    right = fmax(right, s);
    low = fmin(low, systole_table_get(t, row, "reached")->value);
    high = fmax(high, limit);
  }
  systole_figure_frame(script, theme);
  systole_figure_log_range(script, 'x', left, right * 4);
  systole_figure_log_range(script, 'y', low, high);
  fprintf(script,
          "set format x '%%g'\nset format y '%%g'\nset samples 300\n"
          "set xlabel 'how much faster the products alone become, s'\n"
          "set ylabel 'speed-up of the whole, S'\n"
          "set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb '%s' lw 1\n",
          systole_palette_muted(theme));
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    fprintf(script, "$run%zu << EOD\n%.9g %.9g %.9g\nEOD\n", row,
            systole_table_get(t, row, "s")->value,
            systole_table_get(t, row, "reached")->value,
            systole_table_get(t, row, "law")->value);
  }
  fprintf(script,
          "plot 1 / ((1 - %.9g) + %.9g / x) with lines lc rgb '%s' lw 2 title 'the law "
          "for p = %.1f %%', \\\n  "
          "%.9g with lines lc rgb '%s' lw 1.6 dt '-' title 'limit, 1 / (1 - p) = %.3g'",
          p, p, systole_palette_ink(theme), 100 * p, limit, systole_palette_ink(theme),
          limit);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    const char *name = systole_table_get(t, row, "device")->text;
    const systole_kind kind = systole_table_get(t, row, "reached")->kind;
    const size_t d = device_of(report, name);
    const char *colour = systole_palette_device(report, d, theme);
    char legend[160];
    snprintf(legend, sizeof legend, "%s: reached, %s", name, systole_kind_word(kind));
    fprintf(script,
            ", \\\n  $run%zu using 1:2:(0):($3-$2) with vectors nohead lc rgb '%s' lw "
            "1.2 dt '.' notitle, \\\n  "
            "$run%zu using 1:2 with points lc rgb '%s' lw 1.6 pt %d ps 1.5 title ",
            row, colour, row, colour,
            systole_palette_point(d, kind != SYSTOLE_KIND_MEASURED));
    systole_figure_string(script, legend);
  }
  fputs("\n", script);
}

const systole_figure systole_figure_amdahl = {
    .name = "amdahl",
    .title = "Amdahl's law on a measured profile",
    .caption =
        "The curve is the law for the share p of the time that this CPU spends in matrix "
        "products; no accelerator passes its limit. A mark below the curve lost the "
        "length of the dotted line to packing and transfers, which the law does not "
        "know.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "amdahl"};
