/* Throughput against the size of the product: cubes joined by a line, other shapes as
 * marks. */
#include <math.h>

#include "report/figure.h"

static int present(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].stats.gops > 0) return 1;
  }
  return 0;
}

static int height(const systole_report *report) {
  (void)report;
  return 560;
}

static int is_cube(const systole_result *r) { return r->m == r->n && r->n == r->k; }

/* GOP/s with the spread of the wall time's quartiles; the point itself when there is one
 * run. */
static void put_point(FILE *script, const systole_result *r) {
  const double gops = r->stats.gops, wall = r->stats.wall_s;
  const int spread = r->repeats > 1 && !r->stats.has_cycles;
  const double low = spread && r->wall_high_s > 0 ? gops * wall / r->wall_high_s : gops;
  const double high = spread && r->wall_low_s > 0 ? gops * wall / r->wall_low_s : gops;
  fprintf(script, "%.17g %.9g %.9g %.9g\n", (double)r->stats.macs, r->stats.gops,
          fmin(low, r->stats.gops), fmax(high, r->stats.gops));
}

static int is_of(const systole_report *report, const systole_result *r, size_t device,
                 int cubes) {
  return systole_figure_device(report, r) == device && is_cube(r) == cubes &&
         r->stats.gops > 0;
}

/* In the order of size, since a line joins them. */
static void put_data(FILE *script, const systole_report *report, size_t device,
                     int cubes) {
  fprintf(script, "$%s%zu << EOD\n", cubes ? "cube" : "other", device);
  uint64_t done = 0;
  for (;;) {
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (!is_of(report, r, device, cubes)) continue;
      if (r->stats.macs > done && r->stats.macs < next) next = r->stats.macs;
    }
    if (next == UINT64_MAX) break;
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (is_of(report, r, device, cubes) && r->stats.macs == next) put_point(script, r);
    }
    done = next;
  }
  fputs("EOD\n", script);
}

static int count(const systole_report *report, size_t device, int cubes) {
  int found = 0;
  for (size_t i = 0; i < report->result_count; i++) {
    found += is_of(report, &report->results[i], device, cubes);
  }
  return found;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (!(r->stats.gops > 0)) continue;
    left = fmin(left, (double)r->stats.macs);
    right = fmax(right, (double)r->stats.macs);
    low = fmin(low, r->stats.gops);
    high = fmax(high, r->stats.gops);
  }
  for (size_t d = 0; d < report->device_count; d++) {
    if (systole_figure_has(report, d)) high = fmax(high, report->devices[d].peak_gops);
  }
  systole_figure_frame(script, theme);
  systole_figure_log_range(script, 'x', left, right);
  systole_figure_log_range(script, 'y', low, high);
  fputs(
      "set format x '%.0s%c'\nset format y '%g'\n"
      "set xlabel 'multiply-accumulates in the product, M × N × K'\n"
      "set ylabel 'GOP/s (one multiply-accumulate is two operations)'\n",
      script);
  for (size_t d = 0; d < report->device_count; d++) {
    put_data(script, report, d, 1);
    put_data(script, report, d, 0);
  }
  fputs("plot ", script);
  for (size_t d = 0; d < report->device_count; d++) {
    if (!systole_figure_has(report, d)) continue;
    const char *colour = systole_palette_device(report, d, theme);
    const int modelled = report->devices[d].geometry.dim > 0;
    const int point = systole_palette_point(d, modelled);
    const int cubes = count(report, d, 1), others = count(report, d, 0);
    char legend[128];
    systole_figure_legend(legend, sizeof legend, report, d);
    if (cubes > 0) {
      fprintf(
          script,
          "$cube%zu using 1:2:3:4 with yerrorlines lc rgb '%s' lw 2 pt %d ps 1 title ", d,
          colour, point);
      systole_figure_string(script, legend);
      fputs(", \\\n  ", script);
    }
    if (others > 0) {
      fprintf(script,
              "$other%zu using 1:2:3:4 with yerrorbars lc rgb '%s' lw 1.5 pt %d ps 1 ", d,
              colour, point);
      if (cubes > 0) {
        fputs("notitle", script);
      } else {
        fputs("title ", script);
        systole_figure_string(script, legend);
      }
      fputs(", \\\n  ", script);
    }
    if (report->devices[d].peak_gops > 0) {
      fprintf(script, "%.9g with lines lc rgb '%s' lw 1.2 dt '-' notitle, \\\n  ",
              report->devices[d].peak_gops, colour);
    }
  }
  fprintf(script, "NaN with lines lc rgb '%s' lw 1.2 dt '-' title 'peak of the device'",
          systole_palette_muted(theme));
  fputs("\n", script);
}

const systole_figure systole_figure_throughput = {
    .name = "throughput",
    .title = "Throughput against size",
    .caption =
        "Cubes (M = N = K) are joined by a line; loose marks are other shapes. Open "
        "marks are "
        "modelled: the cycles of a simulated array are exact, its clock is assumed. "
        "Filled marks "
        "are measured on this machine, with the quartiles of their repeats as bars. "
        "Small "
        "products cannot fill an array: fetching and draining take longer than the work.",
    .present = present,
    .height = height,
    .draw = draw};
