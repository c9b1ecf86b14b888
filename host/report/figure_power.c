/* Throughput over power, with the bounds of the power and lines of equal efficiency. */
#include <math.h>
#include <string.h>

#include "report/figure.h"

/* Lines at 10^n GOP/s/W. */
enum { IsoFirst = -1, IsoLast = 5 };

static int is_drawn(const systole_result *r) {
  const systole_bounds *power = &r->stats.power_w;
  return r->stats.gops > 0 && power->kind != SYSTOLE_KIND_UNKNOWN && power->low > 0 &&
         power->nominal > 0 && power->high > 0;
}

static int present(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (is_drawn(&report->results[i])) return 1;
  }
  return 0;
}

static int height(const systole_report *report) {
  (void)report;
  return 600;
}

static int put_data(FILE *script, const systole_report *report, size_t device) {
  int count = 0;
  fprintf(script, "$run%zu << EOD\n", device);
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (!is_drawn(r) || systole_figure_device(report, r) != device) continue;
    const systole_bounds *power = &r->stats.power_w;
    fprintf(script, "%.9g %.9g %.9g %.9g\n", power->nominal, r->stats.gops, power->low,
            power->high);
    count++;
  }
  fputs("EOD\n", script);
  return count;
}

/* A line of equal efficiency leaves the frame on the right or at the top; its label
 * stands there. */
static void put_iso_labels(FILE *script, systole_range x, systole_range y,
                           systole_theme theme) {
  for (int decade = IsoFirst; decade <= IsoLast; decade++) {
    const double efficiency = pow(10, decade);
    const int right = efficiency * x.to > y.from && efficiency * x.to <= y.to;
    const int top = y.to / efficiency > x.from && y.to / efficiency < x.to;
    if (!right && !top) continue;
    fprintf(script, "set label '%g GOP/s/W' at %g,%g %s textcolor rgb '%s'\n", efficiency,
            right ? x.to : y.to / efficiency, right ? efficiency * x.to : y.to,
            right ? "left offset 0.6,0" : "center offset 0,0.6",
            systole_palette_muted(theme));
  }
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (!is_drawn(r)) continue;
    left = fmin(left, r->stats.power_w.low);
    right = fmax(right, r->stats.power_w.high);
    low = fmin(low, r->stats.gops);
    high = fmax(high, r->stats.gops);
  }
  systole_figure_frame(script, theme);
  const systole_range x = systole_figure_log_range(script, 'x', left, right);
  const systole_range y = systole_figure_log_range(script, 'y', low, high);
  fputs(
      "set format x '%g'\nset format y '%g'\nset grid noxtics noytics\n"
      "set xlabel 'power in W, with its low and high bound'\n"
      "set ylabel 'GOP/s'\nset samples 200\nset rmargin 14\nset tmargin 4.5\n"
      "set title offset 0,1.2\n",
      script);
  int counts[64] = {0};
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    counts[d] = put_data(script, report, d);
  }
  put_iso_labels(script, x, y, theme);
  fputs("plot ", script);
  for (int decade = IsoFirst; decade <= IsoLast; decade++) {
    fprintf(script, "1e%d * x with lines lc rgb '%s' lw 1.2 notitle, \\\n  ", decade,
            systole_palette_faint(theme));
  }
  int first = 1;
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    if (counts[d] == 0) continue;
    systole_kind kind = SYSTOLE_KIND_UNKNOWN;
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (is_drawn(r) && systole_figure_device(report, r) == d)
        kind = r->stats.power_w.kind;
    }
    const int array = report->devices[d].geometry.dim > 0;
    const int modelled = kind != SYSTOLE_KIND_MEASURED || array;
    char legend[160];
    snprintf(legend, sizeof legend, "%s: power %s, throughput %s",
             report->devices[d].name, systole_kind_word(kind),
             array ? "modelled" : "measured");
    if (!first) fputs(", \\\n  ", script);
    first = 0;
    fprintf(
        script,
        "$run%zu using 1:2:3:4 with xerrorbars lc rgb '%s' lw 1.3 pt %d ps 1.1 title ", d,
        systole_palette_device(report, d, theme), systole_palette_point(d, modelled));
    systole_figure_string(script, legend);
  }
  fputs("\n", script);
}

const systole_figure systole_figure_power = {
    .name = "power",
    .title = "Throughput over power",
    .caption =
        "Thin lines join points of equal efficiency. The horizontal bars are the bounds "
        "of the "
        "power, not its noise: an energy model of events on a chip is honest to a factor "
        "of two "
        "or three. Filled marks are measured in both directions; open marks have at "
        "least one "
        "modelled figure.",
    .present = present,
    .height = height,
    .draw = draw};
