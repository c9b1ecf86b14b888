#include <string.h>

#include "report/html_part.h"

static int has_numbers(const systole_table *table, size_t column) {
  for (size_t row = 0; row < systole_table_rows(table); row++) {
    if (systole_table_cell(table, row, column)->kind != SYSTOLE_KIND_UNKNOWN) return 1;
  }
  return 0;
}

/* Column titles and units say what a number is used for: "price of Shares". */
static void put_cell(systole_page *page, const systole_table *table, size_t row,
                     size_t column, int numbers) {
  const systole_cell *cell = systole_table_cell(table, row, column);
  const systole_column *head = systole_table_head(table, column);
  const char *kind = systole_kind_word(cell->kind);
  char used[256];
  snprintf(used, sizeof used, "%s (%s)", head->title, systole_table_title(table));
  if (kind != NULL) {
    systole_html_open(page, kind, cell->value, used, cell->source, NULL);
    systole_html_number(page->file, cell->value);
    systole_html_range(page->file, cell->low, cell->high);
    systole_html_close(page, kind);
    return;
  }
  const char *element = column == 0 ? "th" : "td";
  fprintf(page->file, "<%s%s", element, column == 0 ? " scope=\"row\"" : "");
  if (!numbers) {
    const char *text = cell->text != NULL ? cell->text : "";
    fprintf(page->file, " class=\"text%s\"", strlen(text) <= 20 ? " short" : "");
  }
  if (cell->text != NULL && cell->source != NULL) {
    const size_t origin =
        systole_origins_add(&page->origins, "published", cell->source, used);
    if (origin > 0) fprintf(page->file, " data-origin=\"origin-%zu\"", origin);
    fputs(" title=\"", page->file);
    systole_html_put(page->file, cell->source);
    fputs("\"", page->file);
  }
  fputs(">", page->file);
  if (cell->text != NULL) systole_html_put(page->file, cell->text);
  fprintf(page->file, "</%s>", element);
}

void systole_html_table(systole_page *page, const systole_table *table) {
  const size_t columns = systole_table_columns(table);
  fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: ",
        page->file);
  systole_html_put(page->file, systole_table_title(table));
  fprintf(page->file, "\"><table data-name=\"%s\"><thead><tr>",
          systole_table_name(table));
  for (size_t c = 0; c < columns; c++) {
    const systole_column *head = systole_table_head(table, c);
    systole_html_head(page->file, head->title, head->unit, !has_numbers(table, c));
  }
  fputs("</tr></thead><tbody>\n", page->file);
  for (size_t row = 0; row < systole_table_rows(table); row++) {
    fputs("<tr>", page->file);
    for (size_t c = 0; c < columns; c++) {
      put_cell(page, table, row, c, has_numbers(table, c));
    }
    fputs("</tr>\n", page->file);
  }
  fputs("</tbody></table></div>\n", page->file);
}

void systole_html_origins(systole_page *page) {
  FILE *file = page->file;
  fputs(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: where "
      "each number comes from\"><table data-name=\"origins\"><thead><tr>",
      file);
  systole_html_head(file, "kind", NULL, 1);
  systole_html_head(file, "source", NULL, 1);
  systole_html_head(file, "used for", NULL, 1);
  fputs("</tr></thead><tbody>\n", file);
  for (size_t i = 0; i < page->origins.count; i++) {
    const systole_origin *origin = &page->origins.list[i];
    fprintf(file,
            "<tr id=\"origin-%zu\"><th scope=\"row\" class=\"text short\">%s</th><td "
            "class=\"wrap\">",
            i + 1, origin->kind);
    systole_html_put(file, origin->source);
    fputs("</td><td class=\"wrap\">", file);
    systole_html_put(file, origin->used);
    fputs("</td></tr>\n", file);
  }
  fputs("</tbody></table></div>\n", file);
}
