/* The cycle ledger: one stacked bar per run of an array, 100 % long. */
#include "report/figure.h"

static int is_drawn(const systole_result *r) {
  return r->stats.has_cycles && r->stats.cycles > 0;
}

static int rows(const systole_report *report) {
  int count = 0;
  for (size_t d = 0; d < report->device_count; d++) {
    int any = 0;
    for (size_t i = 0; i < report->result_count; i++) {
      if (!is_drawn(&report->results[i])) continue;
      if (systole_figure_device(report, &report->results[i]) != d) continue;
      count++;
      any = 1;
    }
    count += any;
  }
  return count;
}

static int present(const systole_report *report) { return rows(report) > 0; }

static int height(const systole_report *report) {
  const int wanted = 160 + 23 * rows(report);
  return wanted < 4000 ? wanted : 4000;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  const int total = rows(report);
  systole_figure_frame(script, theme);
  fprintf(script,
          "set xrange [0:100]\nset yrange [%d:-1]\n"
          "set format x '%%g %%%%'\nset xtics 20\n"
          "set border 0\nset tics scale 0\nset grid noytics xtics\n"
          "set xlabel 'share of all cycles of the run; on the right: utilisation'\n"
          "unset ylabel\nset lmargin 26\nset rmargin 10\n"
          "set style fill solid 1 border rgb '%s'\n"
          "set key maxrows 2 samplen 1 width 1\nset bmargin 7\n",
          total, theme == SYSTOLE_THEME_DARK ? "#161b22" : "#ffffff");

  fputs("set ytics (", script);
  int row = 0, first = 1;
  for (size_t d = 0; d < report->device_count; d++) {
    int headed = 0;
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (!is_drawn(r) || systole_figure_device(report, r) != d) continue;
      if (!headed) row++;
      headed = 1;
      if (!first) fputs(", ", script);
      first = 0;
      systole_figure_string(script, r->label);
      fprintf(script, " %d", row++);
    }
  }
  fputs(")\n", script);

  row = 0;
  int label = 1;
  for (size_t d = 0; d < report->device_count; d++) {
    int headed = 0;
    for (size_t i = 0; i < report->result_count; i++) {
      const systole_result *r = &report->results[i];
      if (!is_drawn(r) || systole_figure_device(report, r) != d) continue;
      if (!headed) {
        fprintf(script, "set label %d ", label++);
        systole_figure_string(script, r->device);
        fprintf(script, " at 0,%d offset 0.3,-0.1 left textcolor rgb '%s'\n", row,
                systole_palette_device(report, d, theme));
        row++;
      }
      headed = 1;
      fprintf(script,
              "set label %d '%.1f %%' at 100,%d offset 0.8,0 left textcolor rgb '%s'\n",
              label++, 100 * r->stats.utilisation, row, systole_palette_ink(theme));
      row++;
    }
  }

  for (int part = 0; part < SystoleLedgerParts; part++) {
    fprintf(script, "$part%d << EOD\n", part);
    row = 0;
    for (size_t d = 0; d < report->device_count; d++) {
      int headed = 0;
      for (size_t i = 0; i < report->result_count; i++) {
        const systole_result *r = &report->results[i];
        if (!is_drawn(r) || systole_figure_device(report, r) != d) continue;
        if (!headed) row++;
        headed = 1;
        uint64_t before = 0;
        for (int p = 0; p < part; p++) before += systole_ledger_part(&r->stats.ledger, p);
        const uint64_t own = systole_ledger_part(&r->stats.ledger, part);
        const double unit = 100.0 / (double)r->stats.cycles;
        if (own > 0) {
          fprintf(script, "0 %d %.6f %.6f %.2f %.2f\n", row, unit * (double)before,
                  unit * (double)(before + own), row - 0.38, row + 0.38);
        }
        row++;
      }
    }
    /* A part that never occurs still has its place in the legend. */
    fputs("0 -9 0 0 -9 -9\nEOD\n", script);
  }
  fputs("plot ", script);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    fprintf(script, "%s$part%d using 1:2:3:4:5:6 with boxxyerror fc rgb '%s' title '%s'",
            part > 0 ? ", \\\n  " : "", part, systole_palette_ledger(part, theme),
            systole_ledger_name(part));
  }
  fputs("\n", script);
}

const systole_figure systole_figure_ledger = {
    .name = "ledger",
    .title = "Where the cycles went",
    .caption =
        "Every cycle from start to done is in exactly one category, judged at the edge "
        "of "
        "the array where activations enter; the categories are explained below. The "
        "number on the right is the utilisation: useful multiply-accumulates over all "
        "that the array could have done.",
    .present = present,
    .height = height,
    .draw = draw};
