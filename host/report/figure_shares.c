/* Host, transfer and compute of each run of an accelerator, one bar 100 % long. Table
 * "shares". */
#include <string.h>

#include "report/figure.h"

static const struct {
  const char *key, *title;
  int colour; /* of the ledger's palette */
} parts[] = {{"host_percent", "host: packing, commands (measured)", 4},
             {"transfer_percent", "transfer (assumed link, or profiled)", 3},
             {"compute_percent", "compute (the device)", 0}};
enum { Parts = sizeof parts / sizeof parts[0] };

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "shares");
}

static int present(const systole_report *report) {
  const systole_table *t = table_of(report);
  return t != NULL && systole_table_rows(t) > 0;
}

static int height(const systole_report *report) {
  const int wanted = 160 + 21 * (int)systole_table_rows(table_of(report));
  return wanted < 4000 ? wanted : 4000;
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  const systole_table *t = table_of(report);
  const size_t rows = systole_table_rows(t);
  systole_figure_frame(script, theme);
  fprintf(script,
          "set xrange [0:100]\nset yrange [%zu:-1]\nset format x '%%g %%%%'\n"
          "set xtics 20\nset border 0\nset tics scale 0\nset grid noytics xtics\n"
          "set xlabel 'share of the time from end to end; on the right: that time'\n"
          "unset ylabel\nset lmargin 38\nset rmargin 11\n"
          "set style fill solid 1 border rgb '%s'\n"
          "set key maxrows 3 samplen 1 width 1\nset bmargin 7\n",
          rows, theme == SYSTOLE_THEME_DARK ? "#161b22" : "#ffffff");
  fputs("set ytics (", script);
  for (size_t row = 0; row < rows; row++) {
    char name[128];
    snprintf(name, sizeof name, "%s  %s", systole_table_get(t, row, "run")->text,
             systole_table_get(t, row, "device")->text);
    if (row > 0) fputs(", ", script);
    systole_figure_string(script, name);
    fprintf(script, " %zu", row);
  }
  fputs(")\n", script);
  for (size_t row = 0; row < rows; row++) {
    fprintf(script,
            "set label '%.3g ms' at 100,%zu offset 0.8,0 left textcolor rgb '%s'\n",
            systole_table_get(t, row, "end_to_end_ms")->value, row,
            systole_palette_ink(theme));
  }
  for (int part = 0; part < Parts; part++) {
    fprintf(script, "$part%d << EOD\n", part);
    for (size_t row = 0; row < rows; row++) {
      double before = 0;
      for (int i = 0; i < part; i++)
        before += systole_table_get(t, row, parts[i].key)->value;
      const double own = systole_table_get(t, row, parts[part].key)->value;
      if (own > 0) {
        fprintf(script, "0 %zu %.6f %.6f %.2f %.2f\n", row, before, before + own,
                (double)row - 0.38, (double)row + 0.38);
      }
    }
    fputs("0 -9 0 0 -9 -9\nEOD\n", script);
  }
  fputs("plot ", script);
  for (int part = 0; part < Parts; part++) {
    fprintf(script, "%s$part%d using 1:2:3:4:5:6 with boxxyerror fc rgb '%s' title '%s'",
            part > 0 ? ", \\\n  " : "", part,
            systole_palette_ledger(parts[part].colour, theme), parts[part].title);
  }
  fputs("\n", script);
}

const systole_figure systole_figure_shares = {
    .name = "shares",
    .title = "Host, transfer and compute",
    .caption =
        "Where an accelerator's time goes when weights are packed and sent with every "
        "product. A simulated card has no link to its host; its transfers are the bytes "
        "over PCI Express 3.0 x16 at line rate, an assumption.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "shares"};
