#include "report/markdown.h"

#include <inttypes.h>
#include <string.h>

#include "report/change.h"
#include "report/utf8.h"
#include "text.h"

/* A comment of GitHub's holds 65,536 letters; a row is about 150. */
enum { MostRows = 150 };

/* Text from outside inside a table: nothing in it may end a cell, begin HTML or a link,
 * or call a person by an at sign. */
static void put(FILE *file, const char *text) {
  while (*text != '\0') {
    const int letter = systole_utf8_letter(text);
    const unsigned char c = (unsigned char)*text;
    if (letter == 0) {
      fputs("\xef\xbf\xbd", file);
    } else if (c == '<') {
      fputs("&lt;", file);
    } else if (c == '&') {
      fputs("&amp;", file);
    } else if (c == '@') {
      fputs("&#64;", file);
    } else if (c < ' ') {
      fputc(' ', file);
    } else if (strncmp(text, " x ", 3) == 0) {
      fputs(" \u00d7 ", file);
      text += 2;
    } else {
      if (strchr("|\\`*_[]#~>", c) != NULL) fputc('\\', file);
      fwrite(text, 1, (size_t)letter, file);
    }
    text += letter > 0 ? letter : 1;
  }
}

static void put_verdict(FILE *file, const systole_report *report) {
  char text[192];
  systole_results_verdict(text, sizeof text, report->results, report->result_count);
  fprintf(file, "**%s.**", text);
}

static void put_change(FILE *file, const systole_change *change) {
  char text[64];
  fprintf(file, "| %s%s%s | ", systole_verdict_fails(change->verdict) ? "**" : "",
          systole_verdict_word(change->verdict),
          systole_verdict_fails(change->verdict) ? "**" : "");
  put(file, change->device);
  fputs(" | ", file);
  put(file, change->label);
  for (int after = 0; after <= 1; after++) {
    systole_change_figure(text, sizeof text, change, after);
    fprintf(file, " | %s", text);
  }
  systole_change_percent(text, sizeof text, change);
  fprintf(file, " | %s | ", text);
  if (text[0] != '\0') fprintf(file, "%.3g %%", change->tolerance);
  fputs(" | ", file);
  put(file, change->why);
  fputs(" |\n", file);
}

static void put_comparison(FILE *file, const systole_comparison *comparison) {
  char summary[256];
  const size_t same = comparison->verdicts[SYSTOLE_VERDICT_SAME];
  const size_t changed = comparison->count - same;
  size_t shown = 0;
  systole_comparison_summary(summary, sizeof summary, comparison);
  fprintf(file, "%s Against the baseline", comparison->failed > 0 ? "\u274c" : "\u2705");
  if (comparison->baseline->date[0] != '\0') {
    fputs(" of ", file);
    put(file, comparison->baseline->date);
  }
  fprintf(file, ": %s.\n\n", summary);
  if (changed == 0) return;
  fputs(
      "| verdict | device | product | before | now | change | allowed | why |\n"
      "|---|---|---|---:|---:|---:|---:|---|\n",
      file);
  /* What fails comes first. */
  for (int fails = 1; fails >= 0; fails--) {
    for (size_t i = 0; i < comparison->count; i++) {
      const systole_change *change = &comparison->list[i];
      if (change->verdict == SYSTOLE_VERDICT_SAME ||
          systole_verdict_fails(change->verdict) != fails || shown == MostRows) {
        continue;
      }
      put_change(file, change);
      shown++;
    }
  }
  if (shown < changed) {
    fprintf(file, "\n%zu more are in report.html.\n", changed - shown);
  }
  fputs("\n", file);
}

static void put_run(FILE *file, const systole_result *r) {
  char text[SystoleText];
  const double percent = systole_result_percent_of_peak(r);
  fputs("| ", file);
  put(file, r->label);
  fputs(" | ", file);
  put(file, r->device);
  systole_result_verdict(text, sizeof text, r);
  fprintf(file, r->checked && r->mismatches > 0 ? " | **%s**" : " | %s", text);
  if (r->stats.seconds > 0) {
    fprintf(file, " | %s | %s", systole_text_figure(text, r->stats.gops),
            systole_result_is_modelled(r) ? "modelled" : "measured");
  } else {
    fputs(" | |", file);
  }
  fputs(" | ", file);
  if (r->stats.has_cycles) {
    fprintf(file, "%.1f %%", 100 * r->stats.utilisation);
  } else if (percent >= 0) {
    fprintf(file, "%.1f %% of the peak", percent);
  }
  fputs(" | ", file);
  if (r->stats.has_cycles) fputs(systole_text_count(text, r->stats.cycles), file);
  fputs(" |\n", file);
}

static void put_findings(FILE *file, const systole_tables *tables) {
  int any = 0;
  for (size_t i = 0; i < systole_tables_count(tables); i++) {
    const systole_table *table = systole_tables_at(tables, i);
    if (systole_table_found(table)[0] == '\0') continue;
    fputs("- ", file);
    put(file, systole_table_title(table));
    fputs(": ", file);
    put(file, systole_table_found(table));
    fputs("\n", file);
    any = 1;
  }
  if (any) fputs("\n", file);
}

void systole_report_markdown(FILE *file, const systole_report *report) {
  fputs("## Systole: ", file);
  put(file, report->title);
  fputs("\n\n", file);
  put_verdict(file, report);
  fputs("\n\n", file);
  if (report->note[0] != '\0') {
    put(file, report->note);
    fputs("\n\n", file);
  }
  if (report->comparison != NULL) put_comparison(file, report->comparison);
  put_findings(file, report->tables);
  fprintf(file,
          "<details><summary>All %zu runs</summary>\n\n| product | device | result | "
          "GOP/s | kind | utilisation | cycles |\n|---|---|---|---:|---|---:|---:|\n",
          report->result_count);
  for (size_t i = 0; i < report->result_count && i < MostRows; i++) {
    put_run(file, &report->results[i]);
  }
  if (report->result_count > MostRows) {
    fprintf(file, "\n%zu more are in report.html.\n",
            report->result_count - (size_t)MostRows);
  }
  fputs("\n</details>\n\n", file);
  put(file, report->machine.cpu);
  fprintf(file, ", %d cores; Systole ", report->machine.cores);
  put(file, report->version);
  if (report->date[0] != '\0') {
    fputs(", ", file);
    put(file, report->date);
  }
  fputs(".\n", file);
}
