/* Inferences per second over latency, one curve a device, batches along it, and the limit
 * that somebody waits. Table "serving_batches". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/figure.h"

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "serving_batches");
}

static int present(const systole_report *report) {
  const systole_table *t = table_of(report);
  return t != NULL && systole_table_rows(t) > 0;
}

static int height(const systole_report *report) {
  (void)report;
  return 560;
}

/* Returns how many points there are. */
static int put_data(FILE *script, const systole_table *t, size_t device, const char *name,
                    systole_kind *kind) {
  int count = 0;
  fprintf(script, "$run%zu << EOD\n", device);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    const systole_cell *rate = systole_table_get(t, row, "per_second");
    const systole_cell *median = systole_table_get(t, row, "median_ms");
    if (strcmp(systole_table_get(t, row, "device")->text, name) != 0) continue;
    fprintf(script, "%.9g %.9g %.9g %.9g\n",
            systole_table_get(t, row, "latency_ms")->value, rate->value,
            rate->value * median->value / median->high,
            rate->value * median->value / median->low);
    *kind = rate->kind;
    count++;
  }
  fputs("EOD\n", script);
  return count;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  enum { LimitMs = 10 };
  const systole_table *t = table_of(report);
  double left = LimitMs, right = LimitMs, low = INFINITY, high = 0;
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    const double x = systole_table_get(t, row, "latency_ms")->value;
    const double y = systole_table_get(t, row, "per_second")->value;
    left = fmin(left, x);
    right = fmax(right, x);
    low = fmin(low, y);
    high = fmax(high, y);
  }
  systole_figure_frame(script, theme);
  systole_figure_log_range(script, 'x', left, right);
  systole_figure_log_range(script, 'y', low, high);
  fprintf(script,
          "set format x '%%g'\nset format y '%%.0s%%c'\n"
          "set xlabel 'latency in ms that 99 %% of the passes keep'\n"
          "set ylabel 'inferences per second'\n"
          "set arrow from %d, graph 0 to %d, graph 1 nohead dt '.' lw 1.6 lc rgb '%s'\n"
          "set label 'limit %d ms' at %d, graph 0.04 right offset -0.5,0 textcolor rgb "
          "'%s'\n",
          LimitMs, LimitMs, systole_palette_ink(theme), LimitMs, LimitMs,
          systole_palette_ink(theme));
  systole_kind kinds[64];
  int counts[64] = {0}, first = 1;
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    counts[d] = put_data(script, t, d, report->devices[d].name, &kinds[d]);
  }
  fputs("plot ", script);
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    if (counts[d] == 0) continue;
    const int modelled = kinds[d] != SYSTOLE_KIND_MEASURED;
    char legend[128];
    snprintf(legend, sizeof legend, "%s: %s", report->devices[d].name,
             systole_kind_word(kinds[d]));
    fprintf(script,
            "%s$run%zu using 1:2:3:4 with yerrorlines lc rgb '%s' lw 2 pt %d ps 1 title ",
            first ? "" : ", \\\n  ", d, systole_palette_device(report, d, theme),
            systole_palette_point(d, modelled));
    systole_figure_string(script, legend);
    first = 0;
  }
  fputs("\n", script);
}

const systole_figure systole_figure_serving = {
    .name = "serving",
    .title = "Inferences per second under a limit of latency",
    .caption =
        "Batches of 1, 2, 4 ... along each curve, from end to end; bars are the "
        "quartiles. "
        "The best point left of the dotted line is what a device can serve when nobody "
        "may wait longer. Of a simulated device the latency is its worst pass.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "serving_batches"};
