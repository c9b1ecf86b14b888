/* Tables that a workload adds to its report, beside the usual one of all runs.
 *
 * A table is filled once and shown everywhere: on the page (sorted by a click, each
 * number with its origin), as an object in results.json, and as tables/NAME.csv. Figures
 * read their numbers from tables (systole_report_table), so that nothing is drawn that
 * cannot be looked up:
 *
 *   systole_table *t = systole_tables_add(tables, "amdahl", "Amdahl's law", "What ...");
 *   systole_table_column(t, "device", "device", "");
 *   systole_table_column(t, "share", "offloaded", "%");
 *   systole_table_column(t, "speedup", "speed-up reached", "");
 *   for (...) {
 *     systole_table_row(t);
 *     systole_table_text(t, "rtl:16");
 *     systole_table_number(t, SYSTOLE_KIND_MEASURED, 93.1, "wall time, median of 9");
 *     systole_table_bounds(t, SYSTOLE_KIND_MODELLED, 3.1, 3.4, 3.9, "cycles at 300 MHz");
 *   }
 *   systole_table_finding(t, "Offloading %.0f %% allows at most %.1f times.", ...);
 *   if ((code = systole_tables_story(tables)) != 0) goto done;
 *
 * Texts are copied. Functions here do not fail one by one: when memory is exhausted,
 * systole_tables_story says so in the end; a NULL table swallows what is given to it. */
#ifndef SYSTOLE_REPORT_TABLE_H
#define SYSTOLE_REPORT_TABLE_H

#include <stddef.h>

#include "systole/systole.h"

typedef struct systole_cell {
  systole_kind kind;       /* UNKNOWN: no number */
  double low, value, high; /* all three equal: without bounds */
  const char *text;        /* words in place of a number; NULL: none */
  const char *source; /* of the number: "median of 9 runs", "Jouppi et al., ISCA 2017,
                         table 3"; of words: NULL or where they were read */
} systole_cell;

typedef struct systole_column {
  const char *key;   /* in JSON and CSV: lower_snake, unit in it: "power_w" */
  const char *title; /* for people: "power" */
  const char *unit;  /* "W"; "": none */
} systole_column;

typedef struct systole_table systole_table;
typedef struct systole_tables systole_tables;

/* NULL when memory is exhausted. */
systole_tables *systole_tables_new(void);
void systole_tables_free(systole_tables *tables);

/* 0, or an exit code with its story when something could not be kept. */
int systole_tables_story(const systole_tables *tables);

/* `name` is lower_snake and unlike the others: it names a file. `caption` says what the
 * table holds and how to read it, as plain text. */
systole_table *systole_tables_add(systole_tables *tables, const char *name,
                                  const char *title, const char *caption);

/* All columns before the first row. */
void systole_table_column(systole_table *table, const char *key, const char *title,
                          const char *unit);

/* Opens a row; its cells follow from left to right. Those not given stay empty. */
void systole_table_row(systole_table *table);
void systole_table_text(systole_table *table, const char *text);
/* Words with the place where they were read. */
void systole_table_quote(systole_table *table, const char *text, const char *source);
void systole_table_empty(systole_table *table);
/* A number has a kind and a source: without one of them, or not finite, it is a fault of
 * the program (assert), and in a release build the cell stays empty. */
void systole_table_number(systole_table *table, systole_kind kind, double value,
                          const char *source);
void systole_table_bounds(systole_table *table, systole_kind kind, double low,
                          double value, double high, const char *source);

/* What a reader should take home, one or two sentences; stands above the table. */
void systole_table_finding(systole_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- for whoever shows them ------------------------------------------------------ */

size_t systole_tables_count(const systole_tables *tables); /* NULL: 0 */
const systole_table *systole_tables_at(const systole_tables *tables, size_t index);
/* NULL when there is no such table. */
const systole_table *systole_tables_find(const systole_tables *tables, const char *name);

const char *systole_table_name(const systole_table *table);
const char *systole_table_title(const systole_table *table);
const char *systole_table_caption(const systole_table *table);
const char *systole_table_found(const systole_table *table); /* "": nothing */
size_t systole_table_columns(const systole_table *table);
size_t systole_table_rows(const systole_table *table);
const systole_column *systole_table_head(const systole_table *table, size_t column);
const systole_cell *systole_table_cell(const systole_table *table, size_t row,
                                       size_t column);
/* The cell under a column's key; an empty cell when there is no such column. */
const systole_cell *systole_table_get(const systole_table *table, size_t row,
                                      const char *key);

#endif
