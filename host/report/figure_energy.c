/* Energy of a thousand inferences on a scale from a digit to a day of a person. Table
 * "energy_per_inference". */
#include <math.h>
#include <string.h>

#include "report/figure.h"

static const systole_table *table_of(const systole_report *report) {
  return systole_report_table(report, "energy_per_inference");
}

static int is_drawn(const systole_table *t, size_t row) {
  return systole_table_get(t, row, "kwh")->kind != SYSTOLE_KIND_UNKNOWN &&
         systole_table_get(t, row, "kwh")->low > 0;
}

static int rows_of(const systole_table *t) {
  int count = 0;
  for (size_t row = 0; t != NULL && row < systole_table_rows(t); row++) {
    count += is_drawn(t, row);
  }
  return count;
}

static int present(const systole_report *report) { return rows_of(table_of(report)) > 0; }

static int height(const systole_report *report) {
  return 170 + 24 * rows_of(table_of(report));
}

static void draw(FILE *script, const systole_report *report, systole_theme theme) {
  static const struct {
    const char *title;
    systole_kind kind;
    int point;
  } kinds[] = {{"measured", SYSTOLE_KIND_MEASURED, 7},
               {"modelled, with bounds", SYSTOLE_KIND_MODELLED, 6},
               {"published", SYSTOLE_KIND_PUBLISHED, 2}};
  enum { Kinds = sizeof kinds / sizeof kinds[0] };
  const systole_table *t = table_of(report);
  double low = INFINITY, high = 0;
  int row_count = 0, counts[Kinds] = {0};
  systole_figure_frame(script, theme);
  fputs("set ytics (", script);
  for (size_t row = 0; row < systole_table_rows(t); row++) {
    if (!is_drawn(t, row)) continue;
    const systole_cell *kwh = systole_table_get(t, row, "kwh");
    const char *what = systole_table_get(t, row, "task")->text;
    const char *who = systole_table_get(t, row, "device")->text;
    char name[160];
    low = fmin(low, kwh->low);
    high = fmax(high, kwh->high);
    snprintf(name, sizeof name, "%s%s%s", what, what[0] != '\0' ? ", " : "", who);
    fprintf(script, "%s", row_count > 0 ? ", " : "");
    systole_figure_string(script, name);
    fprintf(script, " %d", row_count++);
  }
  fputs(")\n", script);
  systole_figure_log_range(script, 'x', low, high);
  fprintf(script,
          "set yrange [%d:-1]\nset format x '10^{%%T}'\nset grid xtics ytics\n"
          "set lmargin 46\nset tics scale 0.6,0\nset mxtics 1\n"
          "set xlabel 'kWh for a thousand inferences'\nunset ylabel\n"
          "set format x '%%.0e'\nset xtics 100\n",
          row_count);
  for (int k = 0; k < Kinds; k++) {
    int at = 0;
    fprintf(script, "$kind%d << EOD\n", k);
    for (size_t row = 0; row < systole_table_rows(t); row++) {
      if (!is_drawn(t, row)) continue;
      const systole_cell *kwh = systole_table_get(t, row, "kwh");
      if (kwh->kind == kinds[k].kind) {
        fprintf(script, "%.9g %d %.9g %.9g\n", kwh->value, at, kwh->low, kwh->high);
        counts[k]++;
      }
      at++;
    }
    fputs("EOD\n", script);
  }
  fputs("plot ", script);
  for (int k = 0; k < Kinds; k++) {
    if (counts[k] == 0) continue;
    fprintf(script,
            "$kind%d using 1:2:3:4 with xerrorbars lc rgb '%s' lw 1.6 pt %d ps 1.2 title "
            "'%s', \\\n  ",
            k,
            kinds[k].kind == SYSTOLE_KIND_PUBLISHED ? systole_palette_muted(theme)
                                                    : systole_palette_ledger(0, theme),
            kinds[k].point, kinds[k].title);
  }
  fputs("NaN notitle\n", script);
}

const systole_figure systole_figure_energy = {
    .name = "energy",
    .title = "Energy of a thousand inferences",
    .caption =
        "The devices here classify digits, the published tasks run on data-centre GPUs "
        "and are far larger networks; a person and the training of GPT-4 stand as they "
        "are, not a thousand times. The scale is logarithmic: each mark is a "
        "hundredfold.",
    .present = present,
    .height = height,
    .draw = draw,
    .table = "energy_per_inference"};
