/* Speed-up over float32 by number format, a bar each. Table "formats". */
#include <math.h>
#include <string.h>

#include "report/figure.h"

static const struct {
  const char *name;
  int colour; /* of the ledger's palette */
} formats[] = {{"fp32", 2}, {"tf32", 7}, {"bf16", 3},
               {"fp16", 4}, {"int8", 0}, {"mixed", 1}};
enum { Formats = sizeof formats / sizeof formats[0] };

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "formats");
}

static int is_drawn(const systole_table *t, size_t row) {
  return systole_table_get(t, row, "speedup")->kind != SYSTOLE_KIND_UNKNOWN;
}

static int present(const systole_report *report) {
  const systole_table *t = table_of(report);
  return t != NULL && systole_table_rows(t) > 0;
}

static int height(const systole_report *report) {
  const int wanted = 170 + 24 * (int)systole_table_rows(table_of(report));
  return wanted < 4000 ? wanted : 4000;
}

/* Rows of one product stand together: the order of the table is by product already. */
static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  const systole_table *t = table_of(report);
  const size_t rows = systole_table_rows(t);
  double shortest = 1, longest = 1;
  systole_figure_frame(script, theme);
  fputs("set ytics (", script);
  for (size_t row = 0; row < rows; row++) {
    char name[160];
    const char *format = systole_table_get(t, row, "format")->text;
    const int published = strcmp(format, "mixed") == 0;
    snprintf(name, sizeof name, "%s%s%s %s",
             published ? "" : systole_table_get(t, row, "machine")->text,
             published ? "" : " ", published ? "" : format,
             systole_table_get(t, row, "product")->text);
    if (row > 0) fputs(", ", script);
    systole_figure_string(script, name);
    fprintf(script, " %zu", row);
    shortest = fmin(shortest, systole_table_get(t, row, "speedup")->low);
    longest = fmax(longest, systole_table_get(t, row, "speedup")->high);
  }
  fputs(")\n", script);
  systole_figure_log_range(script, 'x', shortest, longest);
  fprintf(script,
          "set yrange [%zu:-1]\nset format x '%%g'\n"
          "set border 0\nset tics scale 0\nset grid noytics xtics\nset lmargin 40\n"
          "set xlabel 'times as fast as float32 on the same machine'\nunset ylabel\n"
          "set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '%s' lw 1.2\n"
          "set style fill solid 1 noborder\n",
          rows, systole_palette_muted(theme));
  int counts[Formats] = {0};
  for (int f = 0; f < Formats; f++) {
    fprintf(script, "$format%d << EOD\n", f);
    for (size_t row = 0; row < rows; row++) {
      const systole_cell *speedup = systole_table_get(t, row, "speedup");
      if (!is_drawn(t, row) ||
          strcmp(systole_table_get(t, row, "format")->text, formats[f].name) != 0) {
        continue;
      }
      fprintf(script, "%.6g %zu %.6g %.6g %.2f %.2f %.6g %.6g\n", speedup->value, row,
              fmin(1, speedup->value), fmax(1, speedup->value), (double)row - 0.36,
              (double)row + 0.36, speedup->low, speedup->high);
      counts[f]++;
    }
    fputs("EOD\n", script);
  }
  int first = 1;
  fputs("plot ", script);
  for (int f = 0; f < Formats; f++) {
    if (counts[f] == 0) continue;
    fprintf(script,
            "%s$format%d using 1:2:3:4:5:6 with boxxyerror fc rgb '%s' title '%s, "
            "%s', \\\n  $format%d using 1:2:7:8 with xerrorbars lc rgb '%s' lw 1.4 "
            "pt 0 notitle",
            first ? "" : ", \\\n  ", f, systole_palette_ledger(formats[f].colour, theme),
            formats[f].name,
            strcmp(formats[f].name, "mixed") == 0 ? "published" : "measured", f,
            systole_palette_ink(theme));
    first = 0;
  }
  fputs("\n", script);
}

const systole_figure systole_figure_formats = {
    .name = "formats",
    .title = "Speed-up by number format",
    .caption =
        "The same product in each format that a device here has, over float32 on the "
        "same "
        "machine; bars run from 1 to the median, thin lines are the quartiles. Shorter "
        "numbers "
        "gain where arithmetic or memory is the limit, and not where the call itself is.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "formats"};
