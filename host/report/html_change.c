#include "report/change.h"
#include "report/html_part.h"

static const char *colour_of(systole_verdict verdict) {
  if (systole_verdict_fails(verdict)) return "bad";
  return verdict == SYSTOLE_VERDICT_FASTER ? "good" : "range";
}

static void put_figure(systole_page *page, const systole_change *change, int after) {
  char text[64], source[512];
  systole_change_figure(text, sizeof text, change, after);
  if (text[0] == '\0') {
    fputs("<td></td>", page->file);
    return;
  }
  const char *kind = change->exact ? "counted" : "measured";
  if (after) {
    snprintf(source, sizeof source, "%s",
             change->exact ? "the device's own counters at the end of the run"
                           : "wall clock around the whole call, median of the repeats");
  } else {
    snprintf(source, sizeof source, "the baseline, %s",
             page->report->comparison->baseline->path);
  }
  systole_html_open(page, kind, after ? change->after : change->before,
                    after ? "the run now" : "the run before", source, NULL);
  if (change->exact) {
    systole_html_put(page->file, text);
  } else {
    systole_html_seconds(page->file, after ? change->after : change->before);
  }
  systole_html_close(page, kind);
}

static void put_change(systole_page *page, const systole_change *change) {
  FILE *file = page->file;
  char text[64];
  fputs("<tr><th scope=\"row\">", file);
  systole_html_put(file, change->label);
  fputs("</th><td class=\"text short\">", file);
  systole_html_put(file, change->device);
  fprintf(file, "</td><td class=\"text short\"><span class=\"%s\">%s</span></td>",
          colour_of(change->verdict), systole_verdict_word(change->verdict));
  put_figure(page, change, 0);
  put_figure(page, change, 1);
  systole_change_percent(text, sizeof text, change);
  if (text[0] != '\0') {
    fprintf(file,
            "<td data-v=\"%.9g\" class=\"%s\">%s</td><td data-v=\"%.9g\">%.3g %%</td>",
            change->percent, colour_of(change->verdict), text, change->tolerance,
            change->tolerance);
  } else {
    fputs("<td></td><td></td>", file);
  }
  fputs("<td class=\"text\">", file);
  systole_html_put(file, change->why);
  fputs("</td></tr>\n", file);
}

void systole_html_changes(systole_page *page, const systole_comparison *comparison) {
  FILE *file = page->file;
  const systole_baseline *baseline = comparison->baseline;
  char summary[256];
  systole_comparison_summary(summary, sizeof summary, comparison);
  fprintf(file, "<p class=\"verdict %s\">%s</p><p>Runs beside those of <code>",
          comparison->failed > 0 ? "bad" : "good", summary);
  systole_html_put(file, baseline->path);
  fputs("</code>", file);
  if (baseline->date[0] != '\0') {
    fputs(", written on ", file);
    systole_html_put(file, baseline->date);
  }
  fputs(
      ". Simulated devices are held to their cycles, measured ones to the time a person "
      "waits, on the machine that measured before. More is slower.</p>",
      file);
  fprintf(file, "<details%s><summary>Run by run (%zu rows)</summary>",
          comparison->failed > 0 || comparison->count <= SystoleOpenRows ? " open" : "",
          comparison->count);
  fputs(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: what "
      "changed\"><table data-name=\"changes\"><thead><tr>",
      file);
  systole_html_head(file, "product", "M x N x K", 1);
  systole_html_head(file, "device", NULL, 1);
  systole_html_head(file, "verdict", NULL, 1);
  systole_html_head(file, "before", NULL, 0);
  systole_html_head(file, "now", NULL, 0);
  systole_html_head(file, "change", NULL, 0);
  systole_html_head(file, "allowed", NULL, 0);
  systole_html_head(file, "why not judged", NULL, 1);
  fputs("</tr></thead><tbody>\n", file);
  /* What fails comes first. */
  for (int fails = 1; fails >= 0; fails--) {
    for (size_t i = 0; i < comparison->count; i++) {
      if (systole_verdict_fails(comparison->list[i].verdict) == fails) {
        put_change(page, &comparison->list[i]);
      }
    }
  }
  fputs("</tbody></table></div></details>\n", file);
}
