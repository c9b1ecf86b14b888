#include "report/figure.h"

#include <math.h>
#include <string.h>

const systole_figure *systole_figure_at(int index) {
  static const systole_figure *const figures[] = {
      &systole_figure_throughput,    &systole_figure_ledger,
      &systole_figure_roofline,      &systole_figure_power,
      &systole_figure_landscape,     &systole_figure_network_one,
      &systole_figure_network_batch, &systole_figure_serving,
      &systole_figure_amdahl,        &systole_figure_formats,
      &systole_figure_energy,        &systole_figure_shares,
  };
  enum { Count = sizeof figures / sizeof figures[0] };
  return index < Count ? figures[index] : NULL;
}

void systole_figure_string(FILE *script, const char *text) {
  fputc('\'', script);
  for (; *text != '\0'; text++) {
    if (*text == '\'') fputc('\'', script);
    if (strncmp(text, " x ", 3) == 0) {
      fputs(" \u00d7 ", script);
      text += 2;
    } else if (*text != '\n') {
      fputc(*text, script);
    }
  }
  fputc('\'', script);
}

void systole_figure_frame(FILE *script, systole_theme theme) {
  const char *ink = systole_palette_ink(theme), *faint = systole_palette_faint(theme);
  const char *muted = systole_palette_muted(theme);
  fprintf(script,
          "set encoding utf8\n"
          "set border 3 lc rgb '%s' lw 1\n"
          "set tics nomirror out scale 0.6,0.3 textcolor rgb '%s'\n"
          "set grid lc rgb '%s' lw 1 dt 1\n"
          "set key at screen 0.07, screen 0.02 bottom left Left reverse samplen 2.5 "
          "spacing 1.3 "
          "maxrows 3 textcolor rgb '%s' noenhanced\n"
          "set bmargin 8\n"
          "set title textcolor rgb '%s' offset 0,0.3\n"
          "set xlabel textcolor rgb '%s'\nset ylabel textcolor rgb '%s'\n",
          muted, ink, faint, ink, ink, ink, ink);
}

systole_range systole_figure_log_range(FILE *script, char axis, double low, double high) {
  /* Steps of 1, 2, 5 below and above, so that no point touches the frame. */
  static const double steps[] = {1, 2, 5};
  double from = 1e-9, to = 1e-9;
  if (!(low > 0)) low = 1e-9;
  if (!(high > low)) high = low;
  for (int decade = -9; decade < 16; decade++) {
    for (int i = 0; i < 3; i++) {
      const double value = steps[i] * pow(10, decade);
      if (value <= low / 1.3) from = value;
      if (to < high * 1.3) to = value;
    }
  }
  fprintf(script, "set logscale %c 10\nset %crange [%g:%g]\n", axis, axis, from, to);
  return (systole_range){from, to};
}

size_t systole_figure_device(const systole_report *report, const systole_result *result) {
  for (size_t i = 0; i < report->device_count; i++) {
    if (strcmp(report->devices[i].name, result->device) == 0) return i;
  }
  return 0;
}

int systole_figure_has(const systole_report *report, size_t device) {
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (r->stats.gops > 0 && systole_figure_device(report, r) == device) return 1;
  }
  return 0;
}

void systole_figure_legend(char *out, size_t size, const systole_report *report,
                           size_t device) {
  const systole_report_device *d = &report->devices[device];
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (systole_figure_device(report, r) != device) continue;
    if (r->stats.has_cycles) {
      const char *kind = systole_kind_word(r->stats.clock_kind);
      snprintf(out, size, "%s: modelled (exact cycles, %g MHz %s)", d->name,
               r->stats.clock_mhz, kind != NULL ? kind : "");
    } else {
      snprintf(out, size, "%s: measured", d->name);
      if (r->threads > 0) {
        snprintf(out, size, "%s: measured (%d thread%s)", d->name, r->threads,
                 r->threads == 1 ? "" : "s");
      }
    }
    return;
  }
  snprintf(out, size, "%s", d->name);
}
