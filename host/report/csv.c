#include "report/csv.h"

#include <inttypes.h>
#include <string.h>

#include "report/utf8.h"

static const char header[] =
    "device,workload,label,m,n,k,macs,checked,mismatches,checked_by,dim,cycles,clock_mhz,"
    "clock_kind,memory,utilisation,utilisation_ceiling,active,start,drain,output_stall,"
    "input_stall,weight_stall,weight_shift,other,dram_read_bytes,dram_write_bytes,kernel,"
    "threads,"
    "peak_gops,peak_kind,percent_of_peak,seconds,gops,repeats,wall_s,wall_low_s,wall_"
    "high_s,cpu_s,"
    "sim_macs_per_cpu_s,host_share,power_kind,power_low_w,power_nominal_w,power_high_w,"
    "energy_kind,energy_low_j,energy_nominal_j,energy_high_j,"
    "technology\n";

static void put_text(FILE *file, const char *text) {
  if (text == NULL) text = "";
  if (strpbrk(text, ",\"\r\n") == NULL) {
    systole_utf8_put(file, text);
    fputc(',', file);
    return;
  }
  fputc('"', file);
  for (const char *part = text; *part != '\0';) {
    const int letter = systole_utf8_letter(part);
    if (*part == '"') fputc('"', file);
    if (letter > 0) {
      fwrite(part, 1, (size_t)letter, file);
    } else {
      fputs("\xef\xbf\xbd", file);
    }
    part += letter > 0 ? letter : 1;
  }
  fputs("\",", file);
}

static void put_u64(FILE *file, int known, uint64_t value) {
  if (known) fprintf(file, "%" PRIu64, value);
  fputc(',', file);
}

static void put_number(FILE *file, int known, double value) {
  if (known) fprintf(file, "%.9g", value);
  fputc(',', file);
}

static void put_bounds(FILE *file, const systole_bounds *bounds) {
  const int known = bounds->kind != SYSTOLE_KIND_UNKNOWN;
  put_text(file, systole_kind_word(bounds->kind));
  put_number(file, known, bounds->low);
  put_number(file, known, bounds->nominal);
  if (known) fprintf(file, "%.9g", bounds->high);
}

static void put_row(FILE *file, const systole_result *r) {
  const systole_stats *s = &r->stats;
  const double percent = systole_result_percent_of_peak(r);
  put_text(file, r->device);
  put_text(file, r->workload);
  put_text(file, r->label);
  put_u64(file, 1, (uint64_t)r->m);
  put_u64(file, 1, (uint64_t)r->n);
  put_u64(file, 1, (uint64_t)r->k);
  put_u64(file, 1, s->macs);
  put_text(file, r->checked ? "true" : "false");
  put_u64(file, r->checked, r->mismatches);
  put_text(file, r->checked ? r->checked_by : NULL);
  put_u64(file, r->geometry.dim > 0, (uint64_t)r->geometry.dim);
  put_u64(file, s->has_cycles, s->cycles);
  put_number(file, s->has_cycles, s->clock_mhz);
  put_text(file, s->has_cycles ? systole_kind_word(s->clock_kind) : NULL);
  put_text(file, s->memory);
  put_number(file, s->has_cycles, s->utilisation);
  put_number(file, s->has_cycles, s->utilisation_ceiling);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    put_u64(file, s->has_cycles, systole_ledger_part(&s->ledger, part));
  }
  put_u64(file, s->has_cycles, s->dram_read_bytes);
  put_u64(file, s->has_cycles, s->dram_write_bytes);
  put_text(file, s->kernel);
  put_u64(file, r->threads > 0, (uint64_t)r->threads);
  put_number(file, r->peak_gops > 0, r->peak_gops);
  put_text(file, r->peak_gops > 0 ? systole_kind_word(r->peak_kind) : NULL);
  put_number(file, percent >= 0, percent);
  put_number(file, s->seconds > 0, s->seconds);
  put_number(file, s->seconds > 0, s->gops);
  put_u64(file, 1, (uint64_t)r->repeats);
  put_number(file, 1, s->wall_s);
  put_number(file, r->repeats > 1, r->wall_low_s);
  put_number(file, r->repeats > 1, r->wall_high_s);
  put_number(file, 1, s->cpu_s);
  put_number(file, s->sim_cpu_s > 0, (double)s->macs / s->sim_cpu_s);
  put_number(file, 1, s->host_share);
  put_bounds(file, &s->power_w);
  fputc(',', file);
  put_bounds(file, &s->energy_j);
  fprintf(file, ",%s\n", s->technology != NULL ? s->technology : "");
}

void systole_report_csv(FILE *file, const systole_report *report) {
  fputs(header, file);
  for (size_t i = 0; i < report->result_count; i++) put_row(file, &report->results[i]);
}

static int has_numbers(const systole_table *table, size_t column) {
  for (size_t row = 0; row < systole_table_rows(table); row++) {
    if (systole_table_cell(table, row, column)->kind != SYSTOLE_KIND_UNKNOWN) return 1;
  }
  return 0;
}

static void put_cell(FILE *file, const systole_cell *cell, int numbers) {
  const int known = cell->kind != SYSTOLE_KIND_UNKNOWN;
  if (!numbers) {
    put_text(file, cell->text);
    return;
  }
  if (known) {
    put_number(file, 1, cell->value);
  } else {
    put_text(file, cell->text);
  }
  put_number(file, known, cell->low);
  put_number(file, known, cell->high);
  put_text(file, systole_kind_word(cell->kind));
  put_text(file, cell->source);
}

/* The row's number comes last, so that every field before it ends in a comma. */
void systole_table_csv(FILE *file, const systole_table *table) {
  static const char *const parts[] = {"", "_low", "_high", "_kind", "_source"};
  const size_t columns = systole_table_columns(table);
  for (size_t c = 0; c < columns; c++) {
    const int count = has_numbers(table, c) ? 5 : 1;
    for (int part = 0; part < count; part++) {
      fprintf(file, "%s%s,", systole_table_head(table, c)->key, parts[part]);
    }
  }
  fputs("row\n", file);
  for (size_t row = 0; row < systole_table_rows(table); row++) {
    for (size_t c = 0; c < columns; c++) {
      put_cell(file, systole_table_cell(table, row, c), has_numbers(table, c));
    }
    fprintf(file, "%zu\n", row + 1);
  }
}
