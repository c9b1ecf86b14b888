/* Time of a network over its trainable parameters, one curve a device, with the crossing
 * points with the CPU: one figure for each batch. Numbers: tables "networks" and
 * "crossovers". */
#include <math.h>
#include <string.h>

#include "report/figure.h"
#include "text.h"

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "networks");
}

/* The batch of the first or the last row: there are two. NAN: none. */
static double batch_of(const systole_report *report, int last) {
  const systole_table *t = table_of(report);
  if (t == NULL || systole_table_rows(t) == 0) return NAN;
  return systole_table_get(t, last ? systole_table_rows(t) - 1 : 0, "batch")->value;
}

static int is_drawn(const systole_table *t, size_t row, double batch,
                    const char *device) {
  return systole_table_get(t, row, "batch")->value == batch &&
         systole_table_get(t, row, "end_to_end_ms")->kind != SYSTOLE_KIND_UNKNOWN &&
         (device == NULL ||
          strcmp(systole_table_get(t, row, "device")->text, device) == 0);
}

static int present_at(const systole_report *report, int last) {
  const systole_table *t = table_of(report);
  const double batch = batch_of(report, last);
  if (isnan(batch) || (last && batch == batch_of(report, 0))) return 0;
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (is_drawn(t, row, batch, NULL)) return 1;
  }
  return 0;
}

static int present_one(const systole_report *report) { return present_at(report, 0); }
static int present_batch(const systole_report *report) { return present_at(report, 1); }

static int height(const systole_report *report) {
  (void)report;
  return 600;
}

/* Returns how many points the device has; *overhead: it is slower from end to end than
 * alone somewhere. */
static int put_data(FILE *script, const systole_table *t, double batch, size_t device,
                    const char *name, systole_kind *kind, int *overhead) {
  int count = 0;
  fprintf(script, "$run%zu << EOD\n", device);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row, batch, name)) continue;
    const systole_cell *end = systole_table_get(t, row, "end_to_end_ms");
    const systole_cell *alone = systole_table_get(t, row, "device_ms");
    fprintf(script, "%.9g %.9g %.9g %.9g %.9g\n",
            systole_table_get(t, row, "parameters")->value, end->value, end->low,
            end->high, alone->value);
    *kind = end->kind;
    *overhead |= alone->value < 0.999 * end->value;
    count++;
  }
  fputs("EOD\n", script);
  return count;
}

static void put_crossings(FILE *script, const systole_report *report, double batch,
                          systole_theme theme, systole_range x_range) {
  const systole_table *t = systole_report_table(report, "crossovers");
  int label = 0;
  for (size_t row = 0; t != NULL && row < systole_table_rows(t); row++) {
    const systole_cell *x = systole_table_get(t, row, "end_to_end");
    const char *name = systole_table_get(t, row, "device")->text;
    if (systole_table_get(t, row, "batch")->value != batch) continue;
    if (x->kind == SYSTOLE_KIND_UNKNOWN) continue;
    size_t device = 0;
    for (size_t d = 0; d < report->device_count; d++) {
      if (strcmp(report->devices[d].name, name) == 0) device = d;
    }
    const char *colour = systole_palette_device(report, device, theme);
    fprintf(script,
            "set arrow from %.9g, graph 0 to %.9g, graph 1 nohead dt '.' lw 1.6 lc rgb "
            "'%s'\n",
            x->value, x->value, colour);
    fputs("set label ", script);
    char text[160];
    char number[SystoleText];
    snprintf(text, sizeof text, "%s ahead from %s parameters", name,
             systole_text_count(number, (uint64_t)(x->value + 0.5)));
    systole_figure_string(script, text);
    /* In the right half of the figure there is more room on the left. */
    const int right = x->value * x->value > x_range.from * x_range.to;
    fprintf(script, " at %.9g, graph %.2f %s textcolor rgb '%s'\n", x->value,
            0.96 - 0.06 * label++, right ? "right offset -0.5,0" : "left offset 0.5,0",
            colour);
  }
}

static void draw_at(FILE *script, const systole_report *report, systole_theme theme,
                    int last) {
  const systole_table *t = table_of(report);
  const double batch = batch_of(report, last);
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row, batch, NULL)) continue;
    const systole_cell *end = systole_table_get(t, row, "end_to_end_ms");
    left = fmin(left, systole_table_get(t, row, "parameters")->value);
    right = fmax(right, systole_table_get(t, row, "parameters")->value);
    low = fmin(low, fmin(end->low, systole_table_get(t, row, "device_ms")->value));
    high = fmax(high, end->high);
  }
  systole_figure_frame(script, theme);
  const systole_range x_range = systole_figure_log_range(script, 'x', left, right);
  systole_figure_log_range(script, 'y', low, high);
  fprintf(script,
          "set format x '%%.0s%%c'\nset format y '%%g'\n"
          "set xlabel 'trainable parameters of the network 784-n-n-10'\n"
          "set ylabel 'ms for a batch of %g'\n",
          batch);
  put_crossings(script, report, batch, theme, x_range);
  systole_kind kinds[64];
  int counts[64] = {0}, overheads[64] = {0};
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    counts[d] =
        put_data(script, t, batch, d, report->devices[d].name, &kinds[d], &overheads[d]);
  }
  fputs("plot ", script);
  for (size_t d = 0; d < report->device_count && d < 64; d++) {
    if (counts[d] == 0) continue;
    const char *colour = systole_palette_device(report, d, theme);
    const int modelled = kinds[d] != SYSTOLE_KIND_MEASURED;
    char legend[160];
    snprintf(legend, sizeof legend, "%s: %s%s", report->devices[d].name,
             systole_kind_word(kinds[d]), overheads[d] ? ", with packing and link" : "");
    fprintf(script,
            "$run%zu using 1:2:3:4 with yerrorlines lc rgb '%s' lw 2 pt %d ps 1 title ",
            d, colour, systole_palette_point(d, modelled));
    systole_figure_string(script, legend);
    fputs(", \\\n  ", script);
    if (overheads[d]) {
      fprintf(script,
              "$run%zu using 1:5 with lines lc rgb '%s' lw 1.2 dt '-' notitle, "
              "\\\n  ",
              d, colour);
    }
  }
  fprintf(script, "NaN with lines lc rgb '%s' lw 1.2 dt '-' title 'the device alone'\n",
          systole_palette_muted(theme));
}

static void draw_one(FILE *script, const systole_report *report, systole_theme theme) {
  draw_at(script, report, theme, 0);
}

static void draw_batch(FILE *script, const systole_report *report, systole_theme theme) {
  draw_at(script, report, theme, 1);
}

#define CAPTION                                                                          \
  "Inference of the three-layer network 784-n-n-10 with n = 2&#8304; to 2&#185;&#178; "  \
  "in int8. Solid lines run from pictures in the host's memory to scores there; dashed " \
  "ones are the device alone. Bars are quartiles. Where an accelerator's curve falls "   \
  "below the CPU's, a dotted line marks the number of parameters. Training, which the "  \
  "slides' figure is about, is out of Systole's reach; the question is the same."

const systole_figure systole_figure_network_one = {
    .name = "network-latency",
    .title = "When does an accelerator beat the CPU? One picture at a time",
    .caption = CAPTION,
    .present = present_one,
    .height = height,
    .draw = draw_one,
    .table = "networks"};

const systole_figure systole_figure_network_batch = {
    .name = "network-batch",
    .title = "When does an accelerator beat the CPU? Many pictures at a time",
    .caption = CAPTION,
    .present = present_batch,
    .height = height,
    .draw = draw_batch,
    .table = "networks"};
