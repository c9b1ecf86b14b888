#include "report/table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"

struct systole_table {
  systole_tables *owner;
  systole_table *next;
  char *name, *title, *caption, *finding;
  systole_column *columns;
  systole_cell *cells; /* [rows][column_count] */
  size_t column_count, rows, row_capacity;
  size_t filled; /* cells of the last row */
};

struct systole_tables {
  systole_table *first, *last;
  int exhausted;
};

static const systole_cell no_cell;

systole_tables *systole_tables_new(void) { return calloc(1, sizeof(systole_tables)); }

static void table_free(systole_table *table) {
  for (size_t i = 0; i < table->rows * table->column_count; i++) {
    free((char *)table->cells[i].text);
    free((char *)table->cells[i].source);
  }
  for (size_t i = 0; i < table->column_count; i++) {
    free((char *)table->columns[i].key);
    free((char *)table->columns[i].title);
    free((char *)table->columns[i].unit);
  }
  free(table->cells);
  free(table->columns);
  free(table->finding);
  free(table->caption);
  free(table->title);
  free(table->name);
  free(table);
}

void systole_tables_free(systole_tables *tables) {
  if (tables == NULL) return;
  while (tables->first != NULL) {
    systole_table *table = tables->first;
    tables->first = table->next;
    table_free(table);
  }
  free(tables);
}

int systole_tables_story(const systole_tables *tables) {
  if (tables != NULL && !tables->exhausted) return 0;
  return systole_story_errno(ENOMEM, "cannot keep the tables of the report");
}

static char *copy(systole_tables *owner, const char *text) {
  char *out = strdup(text);
  if (out == NULL) owner->exhausted = 1;
  return out;
}

systole_table *systole_tables_add(systole_tables *tables, const char *name,
                                  const char *title, const char *caption) {
  if (tables == NULL) return NULL;
  assert(systole_tables_find(tables, name) == NULL);
  systole_table *table = calloc(1, sizeof *table);
  if (table == NULL) {
    tables->exhausted = 1;
    return NULL;
  }
  table->owner = tables;
  table->name = copy(tables, name);
  table->title = copy(tables, title);
  table->caption = copy(tables, caption);
  if (tables->exhausted) {
    table_free(table);
    return NULL;
  }
  if (tables->last != NULL) {
    tables->last->next = table;
  } else {
    tables->first = table;
  }
  tables->last = table;
  return table;
}

void systole_table_column(systole_table *table, const char *key, const char *title,
                          const char *unit) {
  if (table == NULL || table->owner->exhausted) return;
  assert(table->rows == 0);
  systole_column *columns =
      realloc(table->columns, (table->column_count + 1) * sizeof *columns);
  if (columns == NULL) {
    table->owner->exhausted = 1;
    return;
  }
  table->columns = columns;
  columns[table->column_count++] = (systole_column){
      copy(table->owner, key), copy(table->owner, title), copy(table->owner, unit)};
}

void systole_table_row(systole_table *table) {
  if (table == NULL || table->owner->exhausted || table->column_count == 0) return;
  if (table->rows == table->row_capacity) {
    const size_t capacity = table->row_capacity > 0 ? 2 * table->row_capacity : 16;
    systole_cell *cells =
        reallocarray(table->cells, capacity, table->column_count * sizeof *cells);
    if (cells == NULL) {
      table->owner->exhausted = 1;
      return;
    }
    memset(cells + table->rows * table->column_count, 0,
           (capacity - table->rows) * table->column_count * sizeof *cells);
    table->cells = cells;
    table->row_capacity = capacity;
  }
  table->rows++;
  table->filled = 0;
}

/* The next cell of the last row; NULL when nothing more can be kept. */
static systole_cell *next(systole_table *table) {
  if (table == NULL || table->owner->exhausted) return NULL;
  assert(table->rows > 0 && table->filled < table->column_count);
  if (table->rows == 0 || table->filled >= table->column_count) return NULL;
  return &table->cells[(table->rows - 1) * table->column_count + table->filled++];
}

void systole_table_quote(systole_table *table, const char *text, const char *source) {
  systole_cell *cell = next(table);
  if (cell == NULL) return;
  cell->text = copy(table->owner, text);
  if (source != NULL) cell->source = copy(table->owner, source);
}

void systole_table_text(systole_table *table, const char *text) {
  systole_table_quote(table, text, NULL);
}

void systole_table_empty(systole_table *table) { (void)next(table); }

void systole_table_bounds(systole_table *table, systole_kind kind, double low,
                          double value, double high, const char *source) {
  systole_cell *cell = next(table);
  if (cell == NULL) return;
  const int good = kind != SYSTOLE_KIND_UNKNOWN && source != NULL && source[0] != '\0' &&
                   isfinite(low) && isfinite(value) && isfinite(high);
  assert(good);
  if (!good) return;
  cell->source = copy(table->owner, source);
  if (cell->source == NULL) return;
  cell->kind = kind;
  cell->low = fmin(low, value);
  cell->value = value;
  cell->high = fmax(high, value);
}

void systole_table_number(systole_table *table, systole_kind kind, double value,
                          const char *source) {
  systole_table_bounds(table, kind, value, value, value, source);
}

void systole_table_finding(systole_table *table, const char *format, ...) {
  if (table == NULL || table->owner->exhausted) return;
  va_list arguments;
  free(table->finding);
  va_start(arguments, format);
  if (vasprintf(&table->finding, format, arguments) < 0) {
    table->finding = NULL;
    table->owner->exhausted = 1;
  }
  va_end(arguments);
}

size_t systole_tables_count(const systole_tables *tables) {
  size_t count = 0;
  if (tables == NULL) return 0;
  for (const systole_table *t = tables->first; t != NULL; t = t->next) count++;
  return count;
}

const systole_table *systole_tables_at(const systole_tables *tables, size_t index) {
  const systole_table *table = tables != NULL ? tables->first : NULL;
  while (table != NULL && index-- > 0) table = table->next;
  return table;
}

const systole_table *systole_tables_find(const systole_tables *tables, const char *name) {
  const systole_table *table = tables != NULL ? tables->first : NULL;
  while (table != NULL && strcmp(table->name, name) != 0) table = table->next;
  return table;
}

const char *systole_table_name(const systole_table *table) { return table->name; }
const char *systole_table_title(const systole_table *table) { return table->title; }
const char *systole_table_caption(const systole_table *table) { return table->caption; }

const char *systole_table_found(const systole_table *table) {
  return table->finding != NULL ? table->finding : "";
}

size_t systole_table_columns(const systole_table *table) { return table->column_count; }
size_t systole_table_rows(const systole_table *table) { return table->rows; }

const systole_column *systole_table_head(const systole_table *table, size_t column) {
  assert(column < table->column_count);
  return &table->columns[column];
}

const systole_cell *systole_table_cell(const systole_table *table, size_t row,
                                       size_t column) {
  assert(row < table->rows && column < table->column_count);
  return &table->cells[row * table->column_count + column];
}

const systole_cell *systole_table_get(const systole_table *table, size_t row,
                                      const char *key) {
  for (size_t i = 0; i < table->column_count; i++) {
    if (strcmp(table->columns[i].key, key) == 0) return systole_table_cell(table, row, i);
  }
  return &no_cell;
}
