#include "report/html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/base64.h"
#include "report/figure.h"
#include "report/html_part.h"
#include "report/palette.h"
#include "story.h"
#include "systole_page_css.h"
#include "systole_page_js.h"
#include "text.h"

/* page/page.css and page/page.js, so that every report is one file. */
enum { MostPageLines = 400 };
typedef struct page_file {
  const char *name;
  const char *lines[MostPageLines]; /* each with its end; the last one is NULL */
} page_file;
static const page_file style[] = {SYSTOLE_PAGE_CSS}, script[] = {SYSTOLE_PAGE_JS};

static void put_lines(FILE *file, const page_file *from) {
  for (size_t i = 0; from->lines[i] != NULL; i++) fputs(from->lines[i], file);
}

/* Titles of the sections for the list of contents, which stands before them. */
typedef struct contents {
  FILE *file;
} contents;

static void open_section(systole_page *page, contents *list, const char *id,
                         const char *title, int is_long) {
  fprintf(list->file, "<li><a href=\"#%s\">", id);
  systole_html_put(list->file, title);
  fputs("</a></li>\n", list->file);
  fprintf(page->file, "<section id=\"%s\"%s><h2>", id, is_long ? " class=\"long\"" : "");
  systole_html_put(page->file, title);
  fputs("</h2>\n", page->file);
}

static void close_section(systole_page *page) { fputs("</section>\n", page->file); }

/* Long tables are folded away. `id` may be NULL. */
static void open_fold(systole_page *page, const char *id, const char *summary,
                      size_t rows, int open) {
  fputs("<details", page->file);
  if (id != NULL) fprintf(page->file, " id=\"table-%s\"", id);
  fprintf(page->file, "%s><summary>%s (%zu row%s)</summary>", open ? " open" : "",
          summary, rows, rows == 1 ? "" : "s");
}

static void close_fold(systole_page *page) { fputs("</details>\n", page->file); }

/* ---- the head of the page ------------------------------------------------------- */

static void put_verdict(FILE *file, const systole_report *report) {
  char text[192];
  const size_t wrong =
      systole_results_verdict(text, sizeof text, report->results, report->result_count);
  int all = 1;
  for (size_t i = 0; i < report->result_count; i++)
    all &= report->results[i].checked != 0;
  fprintf(file, "<p class=\"verdict%s\">%s</p>\n",
          wrong > 0 ? " bad"
          : all     ? " good"
                    : "",
          text);
}

static const systole_result *best_of(const systole_report *report, const char *device) {
  const systole_result *best = NULL;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (strcmp(r->device, device) != 0 || !(r->stats.gops > 0)) continue;
    if (best == NULL || r->stats.gops > best->stats.gops) best = r;
  }
  return best;
}

/* A number on a card: origin on hover, and the mark of its kind. */
static void open_number(systole_page *page, const char *element, const systole_result *r,
                        systole_quantity quantity) {
  char source[256], used[128];
  const char *kind = systole_origin_of(source, sizeof source, r, quantity);
  fprintf(page->file, "<%s", element);
  if (kind == NULL) {
    fputs(">", page->file);
    return;
  }
  snprintf(used, sizeof used, "%s of %s", systole_quantity_name(quantity), r->device);
  const size_t origin = systole_origins_add(&page->origins, kind, source, used);
  if (origin > 0) fprintf(page->file, " data-origin=\"origin-%zu\"", origin);
  fprintf(page->file, " title=\"%s: ", kind);
  systole_html_put(page->file, source);
  fputs("\">", page->file);
}

static void put_mark(systole_page *page, const systole_result *r,
                     systole_quantity quantity) {
  char source[256];
  const char *kind = systole_origin_of(source, sizeof source, r, quantity);
  if (kind == NULL) return;
  fprintf(page->file, "<span class=\"mark m-%s\" role=\"img\" aria-label=\"%s\"></span>",
          kind, kind);
}

static void put_bounds(systole_page *page, const systole_result *r, const char *name,
                       systole_quantity quantity, const systole_bounds *bounds,
                       const char *unit) {
  if (bounds->kind == SYSTOLE_KIND_UNKNOWN) return;
  fprintf(page->file, "<dt>%s</dt>", name);
  open_number(page, "dd", r, quantity);
  systole_html_number(page->file, bounds->nominal);
  fputs(unit, page->file);
  systole_html_range(page->file, bounds->low, bounds->high);
  put_mark(page, r, quantity);
  fputs("</dd>", page->file);
}

static void put_fact(FILE *file, const char *name, const char *value) {
  if (value == NULL || value[0] == '\0') return;
  fprintf(file, "<dt>%s</dt><dd>", name);
  systole_html_put(file, value);
  fputs("</dd>", file);
}

static void put_best(systole_page *page, const systole_result *best) {
  FILE *file = page->file;
  const systole_stats *s = &best->stats;
  const systole_bounds efficiency = systole_result_efficiency(best);
  open_number(page, "div class=\"big\"", best, SYSTOLE_QUANTITY_GOPS);
  systole_html_number(file, s->gops);
  fputs(" <span class=\"unit\">GOP/s at best</span>", file);
  put_mark(page, best, SYSTOLE_QUANTITY_GOPS);
  fputs("</div><dl>", file);
  put_fact(file, "with", best->label);
  if (s->has_cycles) {
    const char *kind = systole_kind_word(s->clock_kind);
    fputs("<dt>utilisation</dt>", file);
    open_number(page, "dd", best, SYSTOLE_QUANTITY_UTILISATION);
    fprintf(file, "%.1f %%</dd><dt>clock</dt><dd>%g MHz, %s</dd>", 100 * s->utilisation,
            s->clock_mhz, kind != NULL ? kind : "");
    put_fact(file, "memory", s->memory);
  }
  if (systole_result_percent_of_peak(best) >= 0) {
    fputs("<dt>of its peak</dt>", file);
    open_number(page, "dd", best, SYSTOLE_QUANTITY_OF_PEAK);
    fprintf(file, "%.1f %%</dd>", systole_result_percent_of_peak(best));
  }
  if (!s->has_cycles) put_fact(file, "kernel", s->kernel);
  put_bounds(page, best, "power", SYSTOLE_QUANTITY_POWER, &s->power_w, " W");
  put_bounds(page, best, "GOP/s/W", SYSTOLE_QUANTITY_EFFICIENCY, &efficiency, "");
  fputs("</dl>", file);
}

static void put_devices(systole_page *page) {
  FILE *file = page->file;
  fputs("<div class=\"devices\" id=\"devices\">\n", file);
  for (size_t i = 0; i < page->report->device_count; i++) {
    const systole_report_device *device = &page->report->devices[i];
    const systole_result *best = best_of(page->report, device->name);
    fprintf(file, "<div class=\"device\" style=\"--own:var(--d%zu)\"><h3>", i);
    systole_html_put(file, device->name);
    fputs("</h3><div class=\"about\">", file);
    systole_html_put(file, device->about);
    fputs("</div>", file);
    if (best != NULL) put_best(page, best);
    fputs("</div>\n", file);
  }
  fputs("</div>\n", file);
}

static void put_legend(FILE *file) {
  static const struct {
    const char *kind, *means;
  } kinds[] = {{"measured", "measured on this machine"},
               {"modelled", "modelled from exact counts"},
               {"published", "published by others"},
               {"assumed", "assumed"},
               {"estimate", "our estimate"}};
  fputs("<ul class=\"legend\" aria-label=\"How numbers came to be\">", file);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    fprintf(file, "<li><span class=\"mark m-%s\"></span>%s</li>", kinds[i].kind,
            kinds[i].means);
  }
  fputs("</ul>\n", file);
}

static void put_comparison(systole_page *page, contents *list) {
  if (page->report->comparison == NULL) return;
  open_section(page, list, "changes", "What changed since the baseline", 1);
  systole_html_changes(page, page->report->comparison);
  close_section(page);
}

/* What the workload's tables say in a sentence, with the way there. */
static void put_findings(systole_page *page, contents *list) {
  size_t count = 0;
  const systole_tables *tables = page->report->tables;
  for (size_t i = 0; i < systole_tables_count(tables); i++) {
    const systole_table *table = systole_tables_at(tables, i);
    if (systole_table_found(table)[0] == '\0') continue;
    if (count++ == 0) {
      open_section(page, list, "findings", "What it says", 0);
      fputs("<ul class=\"findings\">", page->file);
    }
    fprintf(page->file, "<li><a href=\"#table-%s\">", systole_table_name(table));
    systole_html_put(page->file, systole_table_title(table));
    fputs("</a>: ", page->file);
    systole_html_put(page->file, systole_table_found(table));
    fputs("</li>\n", page->file);
  }
  if (count > 0) {
    fputs("</ul>", page->file);
    close_section(page);
  }
}

/* An 8-bit bitmap: the one picture format that needs no library. */
static void put_picture(FILE *file, const uint8_t *pixels, int side, int index) {
  enum { Header = 54, Palette = 1024, MaxSide = 64 };
  uint8_t image[Header + Palette + MaxSide * MaxSide] = {0};
  const int stride = (side + 3) / 4 * 4;
  const uint32_t size = (uint32_t)(Header + Palette + stride * side);
  const struct {
    int at;
    uint32_t value;
  } fields[] = {{2, size},
                {10, Header + Palette},
                {14, 40},
                {18, (uint32_t)side},
                {22, (uint32_t)side},
                {26, 1 | 8u << 16},
                {46, 256}};
  if (side > MaxSide) return;
  image[0] = 'B';
  image[1] = 'M';
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    for (int byte = 0; byte < 4; byte++) {
      image[fields[i].at + byte] = (uint8_t)(fields[i].value >> (8 * byte));
    }
  }
  for (int i = 0; i < 256; i++) memset(image + Header + 4 * i, i, 3);
  for (int row = 0; row < side; row++) {
    memcpy(image + Header + Palette + (side - 1 - row) * stride, pixels + row * side,
           (size_t)side);
  }
  fprintf(file, "<img alt=\"picture %d\" src=\"data:image/bmp;base64,", index + 1);
  systole_base64(file, image, size);
  fputs("\">", file);
}

static void put_pictures(systole_page *page, contents *list) {
  const systole_report *report = page->report;
  if (report->picture_count == 0) return;
  open_section(page, list, "pictures", "What went in", 0);
  fputs(
      "<p>The first pictures of the batch. Each layer's product starts from the exact "
      "activations of the layer before, so one device's error cannot hide in "
      "another's.</p><div class=\"digits\">",
      page->file);
  const int pixels = report->picture_side * report->picture_side;
  for (int i = 0; i < report->picture_count; i++) {
    put_picture(page->file, report->pictures + i * pixels, report->picture_side, i);
  }
  fputs("</div>", page->file);
  close_section(page);
}

/* ---- figures and tables --------------------------------------------------------- */

static void put_finding(systole_page *page, const systole_table *table) {
  if (systole_table_found(table)[0] == '\0') return;
  fputs("<p class=\"finding\">", page->file);
  systole_html_put(page->file, systole_table_found(table));
  fputs("</p>", page->file);
}

static void put_image(FILE *file, const systole_figure *figure, const char *theme,
                      const char *path) {
  fprintf(file,
          "<img class=\"on-%s\" decoding=\"async\" "
          "alt=\"%s\" src=\"data:image/svg+xml;base64,",
          theme, figure->title);
  systole_base64_file(file, path);
  fputs("\">", file);
}

/* A figure with its table, unless that was shown before; 0 when it was not drawn. */
static int put_drawing(systole_page *page, contents *list, const systole_figure *figure,
                       const char *folder, int again) {
  char light[4096], dark[4096], id[96];
  const systole_table *table = figure->table != NULL && !again
                                   ? systole_report_table(page->report, figure->table)
                                   : NULL;
  snprintf(light, sizeof light, "%s/%s-light.svg", folder, figure->name);
  snprintf(dark, sizeof dark, "%s/%s-dark.svg", folder, figure->name);
  if (access(light, R_OK) != 0 || access(dark, R_OK) != 0) return 0;
  FILE *file = page->file;
  snprintf(id, sizeof id, "figure-%s", figure->name);
  open_section(page, list, id, figure->title, table != NULL);
  if (table != NULL) put_finding(page, table);
  fprintf(file,
          "<figure data-name=\"%s\"><div class=\"drawing\" tabindex=\"0\" "
          "role=\"region\" aria-label=\"Figure: %s\">",
          figure->name, figure->title);
  put_image(file, figure, "light", light);
  put_image(file, figure, "dark", dark);
  fprintf(file, "</div><figcaption>%s</figcaption></figure>\n", figure->caption);
  if (table != NULL) {
    open_fold(page, systole_table_name(table), "The numbers of this figure",
              systole_table_rows(table), 0);
    fputs("<p>", file);
    systole_html_put(file, systole_table_caption(table));
    fputs("</p>", file);
    systole_html_table(page, table);
    close_fold(page);
  }
  if (figure == &systole_figure_ledger) systole_html_ledger_help(page);
  close_section(page);
  return 1;
}

/* 1 when the table stands below a figure of the page. */
static int is_shown(const char *table, const unsigned char *drawn) {
  for (int i = 0; systole_figure_at(i) != NULL; i++) {
    const char *name = systole_figure_at(i)->table;
    if (drawn[i] && name != NULL && strcmp(name, table) == 0) return 1;
  }
  return 0;
}

static void put_figures(systole_page *page, contents *list, const char *folder) {
  enum { Most = 128 };
  unsigned char drawn[Most] = {0};
  char id[96];
  for (int i = 0; i < Most && systole_figure_at(i) != NULL; i++) {
    const systole_figure *figure = systole_figure_at(i);
    if (!figure->present(page->report)) continue;
    const int again = figure->table != NULL && is_shown(figure->table, drawn);
    drawn[i] = (unsigned char)put_drawing(page, list, figure, folder, again);
  }
  const systole_tables *tables = page->report->tables;
  for (size_t i = 0; i < systole_tables_count(tables); i++) {
    const systole_table *table = systole_tables_at(tables, i);
    const size_t rows = systole_table_rows(table);
    if (is_shown(systole_table_name(table), drawn)) continue;
    snprintf(id, sizeof id, "table-%s", systole_table_name(table));
    open_section(page, list, id, systole_table_title(table), 1);
    put_finding(page, table);
    fputs("<p>", page->file);
    systole_html_put(page->file, systole_table_caption(table));
    fputs("</p>", page->file);
    if (rows > SystoleOpenRows) open_fold(page, NULL, "The whole table", rows, 0);
    systole_html_table(page, table);
    if (rows > SystoleOpenRows) close_fold(page);
    close_section(page);
  }
}

static void put_runs(systole_page *page, contents *list) {
  const systole_report *report = page->report;
  const size_t rows = report->result_count;
  open_section(page, list, "results", "All results", 1);
  fputs(
      "<p>The time is the device's. What a person waited for it, simulation included, "
      "stands beside it, with the share of that which went into packing and unpacking "
      "matrices. A click on a column's title sorts.</p>",
      page->file);
  if (rows > SystoleOpenRows) open_fold(page, NULL, "The whole table", rows, 1);
  systole_html_results(page);
  if (rows > SystoleOpenRows) close_fold(page);
  close_section(page);
  if (systole_html_has_reasons(report)) {
    open_section(page, list, "reasons", "Why below the peak, and what would change it",
                 1);
    fputs(
        "<p>The reason is read off the ledger. What would change it was planned and "
        "forecast as if it ran.</p>",
        page->file);
    open_fold(page, NULL, "Product by product", rows, 0);
    systole_html_reasons(page);
    close_fold(page);
    close_section(page);
  }
  if (systole_html_has_powers(report)) {
    open_section(page, list, "energy", "Power and energy of every run", 1);
    fputs("<p>Small grey numbers are the low and high bound.</p>", page->file);
    open_fold(page, NULL, "Product by product", rows, 0);
    systole_html_powers(page);
    close_fold(page);
    close_section(page);
  }
  if (systole_html_has_ledger(report)) {
    open_section(page, list, "cycles", "All cycles and bytes", 1);
    open_fold(page, NULL, "Product by product", rows, 0);
    systole_html_cycles(page);
    close_fold(page);
    close_section(page);
  }
}

/* ---- how it came to be ---------------------------------------------------------- */

static void put_machine(systole_page *page, contents *list) {
  char text[SystoleText], cores[16];
  FILE *file = page->file;
  const systole_report *report = page->report;
  snprintf(cores, sizeof cores, "%d", report->machine.cores);
  open_section(page, list, "machine", "Machine, and how to run it again", 0);
  fputs("<p><code>", file);
  systole_html_put(file, report->command);
  fputs("</code></p><dl class=\"facts\">", file);
  put_fact(file, "CPU", report->machine.cpu);
  put_fact(file, "cores", cores);
  if (report->machine.memory_bytes > 0) {
    put_fact(file, "memory", systole_text_bytes(text, report->machine.memory_bytes));
  }
  put_fact(file, "system", report->machine.system);
  put_fact(file, "kernel", report->machine.kernel);
  fputs("<dt>took</dt><dd>", file);
  systole_html_seconds(file, report->wall_s);
  fputs("</dd></dl>", file);
  close_section(page);
}

static void put_origins(systole_page *page, contents *list) {
  open_section(page, list, "origins", "Where each number comes from", 1);
  fputs(
      "<p>Every number above names its row here when the pointer rests on it, or when it "
      "is touched.</p><dl class=\"facts\">"
      "<dt>measured</dt><dd>Taken on this machine in this run.</dd>"
      "<dt>counted</dt><dd>An exact number of events, the same whenever it is run "
      "again.</dd>"
      "<dt>computed</dt><dd>Follows from the sizes alone.</dd>"
      "<dt>modelled</dt><dd>Computed from counts with something assumed or estimated, "
      "such as the clock of a simulated array.</dd>"
      "<dt>published</dt><dd>Somebody else's figure, with the place where it "
      "stands.</dd>"
      "<dt>assumed</dt><dd>Chosen, and shown beside what depends on it.</dd>"
      "<dt>estimate</dt><dd>Ours, without a published source; its bounds are wide.</dd>"
      "</dl>",
      page->file);
  open_fold(page, NULL, "Kind, source and use", page->origins.count,
            page->origins.count <= SystoleOpenRows);
  systole_html_origins(page);
  close_fold(page);
  close_section(page);
}

static void put_warning(systole_page *page, const char *warning) {
  if (warning == NULL || warning[0] == '\0') return;
  fputs("<section class=\"note\"><p class=\"warn\">", page->file);
  systole_html_put(page->file, warning);
  fputs("</p></section>\n", page->file);
}

static void put_colours(FILE *file, const systole_report *report, systole_theme theme) {
  for (size_t i = 0; i < report->device_count; i++) {
    fprintf(file, "--d%zu:%s;", i, systole_palette_device(report, i, theme));
  }
  for (int part = 0; part < SystoleLedgerParts; part++) {
    fprintf(file, "--l%d:%s;", part, systole_palette_ledger(part, theme));
  }
}

/* Nothing is fetched, and the policy holds the browser to it. */
static void put_head(FILE *file, const systole_report *report) {
  fputs(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<title>Systole: ",
      file);
  systole_html_put(file, report->title);
  fputs("</title>\n<style>\n", file);
  put_lines(file, style);
  fputs(":root{", file);
  put_colours(file, report, SYSTOLE_THEME_LIGHT);
  fputs("}\n@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){",
        file);
  put_colours(file, report, SYSTOLE_THEME_DARK);
  fputs("}}\n@media screen{:root[data-theme=dark]{", file);
  put_colours(file, report, SYSTOLE_THEME_DARK);
  fputs("}}\n</style></head>\n<body><div class=\"page\">\n", file);
}

static void put_body(systole_page *page, contents *list, const char *figures,
                     const char *warning) {
  FILE *file = page->file;
  const systole_report *report = page->report;
  fputs("<main>\n<header><div><h1>Systole</h1><p class=\"lead\">", file);
  systole_html_put(file, report->title);
  fputs("</p><p class=\"when\">", file);
  systole_html_put(file, report->date);
  if (report->machine.cpu[0] != '\0') {
    fputs(" &middot; ", file);
    systole_html_put(file, report->machine.cpu);
    fprintf(file, ", %d core%s", report->machine.cores,
            report->machine.cores == 1 ? "" : "s");
  }
  fputs("</p></div></header>\n", file);
  put_verdict(file, report);
  put_devices(page);
  put_legend(file);
  put_warning(page, warning);
  put_warning(page, report->note);
  put_comparison(page, list);
  put_findings(page, list);
  put_pictures(page, list);
  put_figures(page, list, figures);
  put_runs(page, list);
  put_machine(page, list);
  put_origins(page, list);
  fputs("<footer>Written by Systole ", file);
  systole_html_put(file, report->version);
  if (report->date[0] != '\0') {
    fputs(" on ", file);
    systole_html_put(file, report->date);
  }
  fputs(
      ". The same numbers for programs: results.json, results.csv and tables/ beside "
      "this "
      "page.</footer>\n</main>\n",
      file);
}

int systole_report_html(FILE *file, const systole_report *report, const char *figures,
                        const char *warning) {
  char *body = NULL, *titles = NULL;
  size_t body_size = 0, titles_size = 0;
  int code = 0, closed = 0;
  systole_page page = {.report = report};
  contents list = {NULL};
  page.file = open_memstream(&body, &body_size);
  list.file = open_memstream(&titles, &titles_size);
  if (page.file == NULL || list.file == NULL) {
    code = systole_story_errno(ENOMEM, "cannot write the page");
    goto done;
  }
  put_body(&page, &list, figures, warning);
  /* Their last chance to say that memory is exhausted. */
  closed = 1;
  const int body_bad = fclose(page.file), titles_bad = fclose(list.file);
  if (body_bad != 0 || titles_bad != 0) {
    code = systole_story_errno(ENOMEM, "cannot write the page");
    goto done;
  }
  put_head(file, report);
  fputs("<nav class=\"toc\" aria-label=\"Contents\"><p>Contents</p><ol>\n", file);
  fputs("<li><a href=\"#devices\">Devices</a></li>\n", file);
  fwrite(titles, 1, titles_size, file);
  fputs("</ol></nav>\n", file);
  fwrite(body, 1, body_size, file);
  fputs("</div>\n<script>\n", file);
  put_lines(file, script);
  fputs("</script>\n</body></html>\n", file);

done:
  if (!closed && page.file != NULL) fclose(page.file);
  if (!closed && list.file != NULL) fclose(list.file);
  free(body);
  free(titles);
  systole_origins_free(&page.origins);
  return code;
}
