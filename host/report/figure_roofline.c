/* The roofline: what memory and arithmetic allow, and each run as a point below it.
 * S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009. */
#include <math.h>

#include "report/figure.h"
#include "text.h"

static int is_drawn(const systole_result *r) {
  int counted;
  return r->stats.gops > 0 && systole_result_intensity(r, &counted) > 0;
}

static int present(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (is_drawn(&report->results[i])) return 1;
  }
  return 0;
}

static int height(const systole_report *report) {
  (void)report;
  return 560;
}

static void put_data(FILE *script, const systole_report *report, size_t device) {
  int counted;
  fprintf(script, "$run%zu << EOD\n", device);
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (!is_drawn(r) || systole_figure_device(report, r) != device) continue;
    fprintf(script, "%.9g %.9g\n", systole_result_intensity(r, &counted), r->stats.gops);
  }
  fputs("EOD\n", script);
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  int counted;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (!is_drawn(r)) continue;
    const double intensity = systole_result_intensity(r, &counted);
    left = fmin(left, intensity);
    right = fmax(right, intensity);
    low = fmin(low, r->stats.gops);
    high = fmax(high, r->stats.gops);
  }
  for (size_t d = 0; d < report->device_count; d++) {
    if (systole_figure_has(report, d)) high = fmax(high, report->devices[d].peak_gops);
  }
  systole_figure_frame(script, theme);
  systole_figure_log_range(script, 'x', left, right * 2);
  systole_figure_log_range(script, 'y', low, high);
  fputs(
      "set format x '%g'\nset format y '%g'\n"
      "set xlabel 'arithmetic intensity, operations per byte of device memory'\n"
      "set ylabel 'GOP/s'\nset samples 600\n"
      "least(a, b) = a < b ? a : b\n",
      script);
  for (size_t d = 0; d < report->device_count; d++) put_data(script, report, d);
  fputs("plot ", script);
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_report_device *device = &report->devices[d];
    if (!systole_figure_has(report, d) || !(device->peak_gops > 0)) continue;
    const char *colour = systole_palette_device(report, d, theme);
    if (device->bandwidth_gbs > 0) {
      fprintf(script, "least(%.9g, %.9g * x) with lines lc rgb '%s' lw 2 notitle",
              device->peak_gops, device->bandwidth_gbs, colour);
    } else {
      fprintf(script, "%.9g with lines lc rgb '%s' lw 2 dt '-' notitle",
              device->peak_gops, colour);
    }
    fputs(", \\\n  ", script);
  }
  int first = 1;
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_report_device *device = &report->devices[d];
    if (!systole_figure_has(report, d)) continue;
    char text[192] = "", roof[96] = "", peak[SystoleText];
    const int modelled = device->geometry.dim > 0;
    if (device->peak_gops > 0 && device->bandwidth_gbs > 0) {
      snprintf(roof, sizeof roof, "; roof %s GOP/s, %.3g GB/s%s",
               systole_text_figure(peak, device->peak_gops), device->bandwidth_gbs,
               modelled ? "" : " measured");
    } else if (device->peak_gops > 0) {
      snprintf(roof, sizeof roof, "; peak %s GOP/s",
               systole_text_figure(peak, device->peak_gops));
    }
    snprintf(text, sizeof text, "%s: %s%s", device->name,
             modelled ? "modelled" : "measured", roof);
    if (!first) fputs(", \\\n  ", script);
    first = 0;
    fprintf(script,
            "$run%zu using 1:2 with points lc rgb '%s' lw 1.5 pt %d ps 1.1 title ", d,
            systole_palette_device(report, d, theme), systole_palette_point(d, modelled));
    systole_figure_string(script, text);
  }
  fputs("\n", script);
}

const systole_figure systole_figure_roofline = {
    .name = "roofline",
    .title = "Roofline",
    .caption =
        "No run of an array can lie above its roof: the slope is the bandwidth of its "
        "memory ports (reads of activations, reads of weights and writes of results "
        "together), the flat part is the arithmetic, 2 Dim&#178; operations a cycle for "
        "an array and the measured peak for a CPU. Intensity uses the bytes that an "
        "array "
        "really moved; for a CPU, whose traffic nothing counts here, each operand once. "
        "A "
        "CPU's slope, where it is drawn, is the measured speed of its memory; products "
        "whose operands stay in a cache pass it.",
    .present = present,
    .height = height,
    .draw = draw};
