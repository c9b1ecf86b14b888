#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/figure.h"
#include "report/html_part.h"
#include "text.h"

/* Rows of one product belong together, and all but its first name it faintly. */
static void open_row(systole_page *page, size_t i, const char **previous) {
  FILE *file = page->file;
  const systole_result *r = &page->report->results[i];
  const int same = *previous != NULL && strcmp(*previous, r->label) == 0;
  if (!same) {
    if (*previous != NULL) fputs("</tbody>", file);
    fputs("<tbody class=\"group\">", file);
  }
  fprintf(file, "\n<tr><th scope=\"row\"%s>", same ? " class=\"again\"" : "");
  systole_html_put(file, r->label);
  fprintf(file,
          "</th><td class=\"text short\"><span class=\"swatch\" "
          "style=\"--own:var(--d%zu)\"></span>",
          systole_figure_device(page->report, r));
  systole_html_put(file, r->device);
  fputs("</td>", file);
  *previous = r->label;
}

static void close_rows(systole_page *page, const char *previous) {
  fputs(previous != NULL ? "</tbody></table></div>\n" : "</table></div>\n", page->file);
}

static void open_table(systole_page *page, const char *name, const char *title) {
  fprintf(page->file,
          "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: "
          "%s\"><table data-name=\"%s\"><thead><tr>",
          title, name);
  systole_html_head(page->file, "product", "M x N x K", 1);
  systole_html_head(page->file, "device", NULL, 1);
}

static const char *open_cell(systole_page *page, const systole_result *r,
                             systole_quantity quantity, double value) {
  char source[256], used[128], detail[64] = "";
  const char *kind = systole_origin_of(source, sizeof source, r, quantity);
  snprintf(used, sizeof used, "%s of %s", systole_quantity_name(quantity), r->device);
  if (kind != NULL && strcmp(kind, "measured") == 0 && r->repeats > 1) {
    snprintf(detail, sizeof detail, "%d repeats", r->repeats);
  }
  systole_html_open(page, kind, value, used, source, detail);
  return kind;
}

/* ---- all results ----------------------------------------------------------------- */

static void put_check(systole_page *page, const systole_result *r) {
  if (!r->checked) {
    fputs("<td>not checked</td>", page->file);
    return;
  }
  open_cell(page, r, SYSTOLE_QUANTITY_CHECK, (double)r->mismatches);
  char text[48];
  systole_result_verdict(text, sizeof text, r);
  fprintf(page->file, "<span class=\"%s\">%s</span></td>",
          r->mismatches == 0 ? "good" : "bad", text);
}

static void put_gops(systole_page *page, const systole_result *r) {
  const char *kind = open_cell(page, r, SYSTOLE_QUANTITY_GOPS, r->stats.gops);
  if (kind != NULL) {
    systole_html_number(page->file, r->stats.gops);
    if (r->repeats > 1 && r->wall_low_s > 0 && !r->stats.has_cycles) {
      systole_html_range(page->file, r->stats.gops * r->stats.wall_s / r->wall_high_s,
                         r->stats.gops * r->stats.wall_s / r->wall_low_s);
    }
  }
  systole_html_close(page, kind);
}

/* An array's utilisation, else what a measured peak allows to say. */
static void put_utilisation(systole_page *page, const systole_result *r) {
  const systole_stats *s = &r->stats;
  const double percent = systole_result_percent_of_peak(r);
  const char *kind;
  if (s->has_cycles) {
    kind = open_cell(page, r, SYSTOLE_QUANTITY_UTILISATION, 100 * s->utilisation);
    fprintf(page->file, "%.1f %%", 100 * s->utilisation);
  } else {
    kind = open_cell(page, r, SYSTOLE_QUANTITY_OF_PEAK, percent);
    if (kind != NULL) fprintf(page->file, "%.1f %%", percent);
  }
  systole_html_close(page, kind);
  kind = open_cell(page, r, SYSTOLE_QUANTITY_CEILING, 100 * s->utilisation_ceiling);
  if (kind != NULL) fprintf(page->file, "%.1f %%", 100 * s->utilisation_ceiling);
  systole_html_close(page, kind);
}

static void put_result(systole_page *page, const systole_result *r) {
  FILE *file = page->file;
  const systole_stats *s = &r->stats;
  put_check(page, r);
  put_gops(page, r);
  put_utilisation(page, r);
  const char *kind = open_cell(page, r, SYSTOLE_QUANTITY_SECONDS, s->seconds);
  if (kind != NULL) systole_html_seconds(file, s->seconds);
  systole_html_close(page, kind);
  kind = open_cell(page, r, SYSTOLE_QUANTITY_WALL, s->wall_s);
  systole_html_seconds(file, s->wall_s);
  systole_html_close(page, kind);
  kind = open_cell(page, r, SYSTOLE_QUANTITY_HOST_SHARE, 100 * s->host_share);
  fprintf(file, "%.0f %%", 100 * s->host_share);
  systole_html_close(page, kind);
  const double speed = s->sim_cpu_s > 0 ? (double)s->macs / s->sim_cpu_s / 1e9 : 0;
  kind = open_cell(page, r, SYSTOLE_QUANTITY_SIM_SPEED, speed);
  if (kind != NULL) systole_html_number(file, speed);
  systole_html_close(page, kind);
  fputs("</tr>", file);
}

void systole_html_results(systole_page *page) {
  const char *previous = NULL;
  FILE *file = page->file;
  open_table(page, "results", "all results");
  systole_html_head(file, "result", NULL, 0);
  systole_html_head(file, "throughput", "GOP/s", 0);
  systole_html_head(file, "utilisation", "or of the peak", 0);
  systole_html_head(file, "shape allows", NULL, 0);
  systole_html_head(file, "time", NULL, 0);
  systole_html_head(file, "waited", NULL, 0);
  systole_html_head(file, "packing", NULL, 0);
  systole_html_head(file, "simulated", "GMAC/s, one core", 0);
  fputs("</tr></thead>", file);
  for (size_t i = 0; i < page->report->result_count; i++) {
    open_row(page, i, &previous);
    put_result(page, &page->report->results[i]);
  }
  close_rows(page, previous);
}

/* ---- reasons --------------------------------------------------------------------- */

void systole_html_reasons(systole_page *page) {
  const char *previous = NULL;
  FILE *file = page->file;
  open_table(page, "reasons", "why below the peak");
  systole_html_head(file, "utilisation", NULL, 0);
  systole_html_head(file, "why", NULL, 1);
  fputs("</tr></thead>", file);
  for (size_t i = 0; i < page->report->result_count; i++) {
    const systole_result *r = &page->report->results[i];
    const systole_explanation *e = &r->explanation;
    if (e->limit[0] == '\0') continue;
    open_row(page, i, &previous);
    const char *kind =
        open_cell(page, r, SYSTOLE_QUANTITY_UTILISATION, 100 * r->stats.utilisation);
    fprintf(file, "%.1f %%", 100 * r->stats.utilisation);
    systole_html_close(page, kind);
    fputs("<td class=\"wrap\">", file);
    systole_html_put(file, e->sentence);
    for (int a = 0; a < e->count; a++) {
      if (e->advice[a].command[0] == '\0') continue;
      fprintf(file, "<br>%.1f %%: <code>", 100 * e->advice[a].utilisation);
      systole_html_put(file, e->advice[a].command);
      fputs("</code>", file);
    }
    fputs("</td></tr>", file);
  }
  close_rows(page, previous);
}

int systole_html_has_reasons(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].explanation.limit[0] != '\0') return 1;
  }
  return 0;
}

/* ---- power and energy ------------------------------------------------------------ */

static void put_bounds(systole_page *page, const systole_result *r,
                       systole_quantity quantity, const systole_bounds *bounds,
                       double scale) {
  if (bounds->kind == SYSTOLE_KIND_UNKNOWN) {
    fputs("<td></td>", page->file);
    return;
  }
  const char *kind = open_cell(page, r, quantity, scale * bounds->nominal);
  systole_html_number(page->file, scale * bounds->nominal);
  systole_html_range(page->file, scale * bounds->low, scale * bounds->high);
  systole_html_close(page, kind);
}

static int has_incremental(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (r->has_energy && r->energy.incremental_w.kind != SYSTOLE_KIND_UNKNOWN) return 1;
  }
  return 0;
}

void systole_html_powers(systole_page *page) {
  const char *previous = NULL;
  const int incremental = has_incremental(page->report);
  FILE *file = page->file;
  open_table(page, "power", "power and energy");
  systole_html_head(file, "power", "W", 0);
  if (incremental) systole_html_head(file, "beyond rest", "W", 0);
  systole_html_head(file, "energy", "mJ", 0);
  systole_html_head(file, "efficiency", "GOP/s/W", 0);
  systole_html_head(file, "over Landauer's limit", "times", 0);
  fputs("</tr></thead>", file);
  for (size_t i = 0; i < page->report->result_count; i++) {
    const systole_result *r = &page->report->results[i];
    const systole_bounds efficiency = systole_result_efficiency(r);
    if (r->stats.power_w.kind == SYSTOLE_KIND_UNKNOWN) continue;
    const systole_bounds unknown = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
    const systole_bounds landauer =
        systole_energy_landauer_times(&r->stats.energy_j, r->stats.macs);
    open_row(page, i, &previous);
    put_bounds(page, r, SYSTOLE_QUANTITY_POWER, &r->stats.power_w, 1);
    if (incremental) {
      put_bounds(page, r, SYSTOLE_QUANTITY_INCREMENTAL,
                 r->has_energy ? &r->energy.incremental_w : &unknown, 1);
    }
    put_bounds(page, r, SYSTOLE_QUANTITY_ENERGY, &r->stats.energy_j, 1000);
    put_bounds(page, r, SYSTOLE_QUANTITY_EFFICIENCY, &efficiency, 1);
    put_bounds(page, r, SYSTOLE_QUANTITY_LANDAUER, &landauer, 1);
    fputs("</tr>", file);
  }
  close_rows(page, previous);
}

int systole_html_has_powers(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].stats.power_w.kind != SYSTOLE_KIND_UNKNOWN) return 1;
  }
  return 0;
}

/* ---- cycles ---------------------------------------------------------------------- */

int systole_html_has_ledger(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].stats.has_cycles) return 1;
  }
  return 0;
}

static void put_count(systole_page *page, const systole_result *r, uint64_t value) {
  char text[SystoleText];
  const char *kind = open_cell(page, r, SYSTOLE_QUANTITY_CYCLES, (double)value);
  fputs(systole_text_count(text, value), page->file);
  systole_html_close(page, kind);
}

static void put_bytes(systole_page *page, const systole_result *r, uint64_t value) {
  char text[SystoleText];
  const char *kind = open_cell(page, r, SYSTOLE_QUANTITY_BYTES, (double)value);
  fputs(systole_text_bytes(text, value), page->file);
  systole_html_close(page, kind);
}

void systole_html_cycles(systole_page *page) {
  const char *previous = NULL;
  FILE *file = page->file;
  open_table(page, "cycles", "all cycles and bytes");
  systole_html_head(file, "cycles", NULL, 0);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    char name[32];
    snprintf(name, sizeof name, "%s", systole_ledger_name(part));
    if (strchr(name, '_') != NULL) *strchr(name, '_') = ' ';
    systole_html_head(file, name, NULL, 0);
  }
  systole_html_head(file, "read", NULL, 0);
  systole_html_head(file, "written", NULL, 0);
  systole_html_head(file, "operations per byte", NULL, 0);
  fputs("</tr></thead>", file);
  for (size_t i = 0; i < page->report->result_count; i++) {
    const systole_result *r = &page->report->results[i];
    int counted;
    if (!r->stats.has_cycles) continue;
    open_row(page, i, &previous);
    put_count(page, r, r->stats.cycles);
    for (int part = 0; part < SystoleLedgerParts; part++) {
      put_count(page, r, systole_ledger_part(&r->stats.ledger, part));
    }
    put_bytes(page, r, r->stats.dram_read_bytes);
    put_bytes(page, r, r->stats.dram_write_bytes);
    const double intensity = systole_result_intensity(r, &counted);
    const char *kind = open_cell(page, r, SYSTOLE_QUANTITY_INTENSITY, intensity);
    if (kind != NULL) systole_html_number(file, intensity);
    systole_html_close(page, kind);
    fputs("</tr>", file);
  }
  close_rows(page, previous);
}

void systole_html_ledger_help(systole_page *page) {
  fputs(
      "<details><summary>What the categories mean</summary><p>Judged each cycle at the "
      "edge where activations enter the array; the first line that fits is charged, so "
      "the parts always sum to the cycles of the run.</p><div class=\"scroll\"><table "
      "data-name=\"ledger\"><tbody>\n",
      page->file);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    fprintf(page->file,
            "<tr><th scope=\"row\" class=\"text short\"><span class=\"swatch\" "
            "style=\"--own:var(--l%d)\"></span>%s</th><td class=\"wrap\">%s</td></tr>\n",
            part, systole_ledger_name(part), systole_ledger_meaning(part));
  }
  fputs("</tbody></table></div></details>\n", page->file);
}
