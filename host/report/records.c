#include "report/records.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"
#include "systole_report_data.h"

enum { MaxColumns = 24, MaxLines = 80, MaxFileBytes = 1 << 20 };

struct systole_records {
  char **cells; /* [rows + 1][columns]: the head, then the rows; point into `text` */
  size_t columns, rows;
  int is_number[MaxColumns];
  char *text; /* the fields, each ended by a zero */
};

static const struct {
  const char *name;
  const char *lines[MaxLines]; /* each with its end; the last one is NULL */
} tables[] = {SYSTOLE_REPORT_DATA};

void systole_records_free(systole_records *records) {
  if (records == NULL) return;
  free(records->cells);
  free(records->text);
  free(records);
}

size_t systole_records_count(const systole_records *records) {
  return records != NULL ? records->rows : 0;
}

/* Cuts one line into fields in place. Returns their number, MaxColumns + 1 when there are
 * more, 0 when a quote stays open. *next is the line after it. */
static size_t split(char *fields[MaxColumns], char *line, char **next) {
  size_t count = 0;
  char *from = line, *to = line;
  for (;;) {
    const int quoted = *from == '"';
    if (count == MaxColumns) count++; /* one too many */
    if (count < MaxColumns) fields[count++] = to;
    if (quoted) from++;
    for (; *from != '\0'; from++) {
      if (quoted && *from == '"') {
        if (from[1] != '"') break;
        from++;
      } else if (!quoted && (*from == ',' || *from == '\n')) {
        break;
      }
      if (quoted && *from == '\n') return 0;
      if (*from != '\r') *to++ = *from;
    }
    if (quoted) {
      if (*from != '"') return 0;
      from++;
      if (*from == '\r') from++;
      if (*from != ',' && *from != '\n' && *from != '\0') return 0;
    }
    const char end = *from;
    *to++ = '\0';
    if (end != '\0') from++;
    if (end != ',') {
      *next = from;
      return count;
    }
  }
}

static int is_number(const char *text) {
  char *end = NULL;
  const double value = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(value);
}

/* Only spaces, or what a person writes in place of a source. */
static int is_no_source(const char *text) {
  return text[strspn(text, " \t?-.")] == '\0' || strcmp(text, "n/a") == 0;
}

static int check_head(systole_records *records, char *fields[MaxColumns], size_t count,
                      const char *where) {
  if (count == 0 || count > MaxColumns) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s: its first line must name up to %d columns", where,
                         (int)MaxColumns);
  }
  if (strcmp(fields[count - 1], "source") != 0) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s: its last column is '%s', it must be 'source': every "
                         "published figure says where it was read",
                         where, fields[count - 1]);
  }
  records->columns = count;
  for (size_t i = 0; i < count; i++) {
    char *mark = strchr(fields[i], '#');
    records->is_number[i] = mark != NULL;
    if (mark != NULL) *mark = '\0';
  }
  return 0;
}

static int check_row(const systole_records *records, char *fields[MaxColumns],
                     size_t count, const char *where, int line) {
  if (count != records->columns) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         count == 0 ? "%s, line %d: a quote is not closed"
                                    : "%s, line %d: it has not as many fields as there "
                                      "are columns",
                         where, line);
  }
  if (is_no_source(fields[count - 1])) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s, line %d: '%s' has no source; a published figure needs one "
                         "(paper and table, data sheet, page)",
                         where, line, fields[0]);
  }
  for (size_t i = 0; i < count; i++) {
    if (!records->is_number[i] || fields[i][0] == '\0' || is_number(fields[i])) continue;
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s, line %d: '%s' is no number; leave the field empty when it "
                         "is not known",
                         where, line, fields[i]);
  }
  return 0;
}

int systole_records_parse(systole_records **out, const char *where, const char *text) {
  *out = NULL;
  systole_records *records = calloc(1, sizeof *records);
  size_t lines = 2;
  for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
  int code = 0;
  if (records != NULL) {
    records->text = strdup(text);
    records->cells = calloc(lines * MaxColumns, sizeof *records->cells);
  }
  if (records == NULL || records->text == NULL || records->cells == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read %s", where);
    goto done;
  }
  char *at = records->text;
  for (int line = 1; *at != '\0' && code == 0; line++) {
    char *fields[MaxColumns];
    if (*at == '#' || *at == '\n' || *at == '\r') {
      at += strcspn(at, "\n");
      if (*at == '\n') at++;
      continue;
    }
    const size_t count = split(fields, at, &at);
    if (records->columns == 0) {
      code = check_head(records, fields, count, where);
      if (code == 0) memcpy(records->cells, fields, count * sizeof *fields);
      continue;
    }
    code = check_row(records, fields, count, where, line);
    if (code == 0) {
      memcpy(records->cells + ++records->rows * records->columns, fields,
             count * sizeof *fields);
    }
  }
  if (code == 0 && records->columns == 0) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "%s: it is empty", where);
  }

done:
  if (code != 0) {
    systole_records_free(records);
  } else {
    *out = records;
  }
  return code;
}

int systole_records_builtin(systole_records **out, const char *name) {
  *out = NULL;
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    if (strcmp(tables[i].name, name) != 0) continue;
    size_t bytes = 1;
    for (size_t j = 0; tables[i].lines[j] != NULL; j++) {
      bytes += strlen(tables[i].lines[j]);
    }
    char *text = malloc(bytes), *end = text;
    if (text == NULL) return systole_story_errno(ENOMEM, "cannot read the %s", name);
    *end = '\0';
    for (size_t j = 0; tables[i].lines[j] != NULL; j++) {
      end = stpcpy(end, tables[i].lines[j]);
    }
    const int code = systole_records_parse(out, name, text);
    free(text);
    return code;
  }
  return systole_story(SYSTOLE_EXIT_USAGE, "there is no built-in table '%s'", name);
}

static int read_text(char **out, const char *path) {
  *out = NULL;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return systole_story_errno(errno, "cannot open %s", path);
  char *text = malloc(MaxFileBytes + 1);
  int code = 0;
  if (text == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read %s", path);
    goto done;
  }
  const size_t size = fread(text, 1, MaxFileBytes + 1, file);
  if (ferror(file)) {
    code = systole_story_errno(errno != 0 ? errno : EIO, "cannot read %s", path);
  } else if (size > MaxFileBytes) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "%s is larger than %d KiB", path,
                         (int)MaxFileBytes / 1024);
  } else if (memchr(text, '\0', size) != NULL) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "%s is no text", path);
  } else {
    text[size] = '\0';
    *out = text;
    text = NULL;
  }

done:
  free(text);
  fclose(file);
  return code;
}

int systole_records_file(systole_records **out, const char *name, const char *path) {
  systole_records *model = NULL;
  char *text = NULL;
  *out = NULL;
  int code = systole_records_builtin(&model, name);
  if (code == 0) code = read_text(&text, path);
  if (code == 0) code = systole_records_parse(out, path, text);
  for (size_t i = 0; code == 0 && i < model->columns; i++) {
    if (i < (*out)->columns && strcmp((*out)->cells[i], model->cells[i]) == 0 &&
        (*out)->is_number[i] == model->is_number[i]) {
      continue;
    }
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s: column %zu must be '%s%s'; the columns are those of "
                      "host/report/data/%s.csv",
                      path, i + 1, model->cells[i], model->is_number[i] ? "#" : "", name);
  }
  if (code == 0 && (*out)->columns > model->columns) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s: it has %zu columns and host/report/data/%s.csv %zu", path,
                         (*out)->columns, name, model->columns);
  }
  if (code != 0) {
    systole_records_free(*out);
    *out = NULL;
  }
  free(text);
  systole_records_free(model);
  return code;
}

static size_t column_of(const systole_records *records, const char *column) {
  for (size_t i = 0; i < records->columns; i++) {
    if (strcmp(records->cells[i], column) == 0) return i;
  }
  assert(!"no such column");
  return 0;
}

const char *systole_records_text(const systole_records *records, size_t row,
                                 const char *column) {
  assert(row < records->rows);
  return records->cells[(row + 1) * records->columns + column_of(records, column)];
}

double systole_records_number(const systole_records *records, size_t row,
                              const char *column) {
  const char *text = systole_records_text(records, row, column);
  assert(records->is_number[column_of(records, column)]);
  return text[0] != '\0' ? strtod(text, NULL) : NAN;
}
