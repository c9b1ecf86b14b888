/* systole published: networks on models of machines that others have measured, beside
 * what they measured. The tables are in published/, the networks in layers/. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"
#include "options.h"
#include "show.h"
#include "story.h"
#include "subcommands.h"
#include "systole_published_tables.h" /* generated from published/ */
#include "text.h"

enum { MaxLines = 40, MaxFields = 10, MaxRows = 32 };

typedef struct table {
  const char *name;
  const char *lines[MaxLines]; /* each with its end; the last one is NULL */
} table;

static const table tables[] = {SYSTOLE_PUBLISHED_TABLES};
enum { Tables = sizeof tables / sizeof tables[0] };

typedef struct published_arguments {
  systole_common common;
  const table *only; /* NULL: all */
  const char *device;
  int markdown;
} published_arguments;

enum { KeyDevice = 'd', KeyMarkdown = 2000, KeyJson };

static const struct argp_option options[] = {
    {"device", KeyDevice, "NAME", 0,
     "Model to run on instead of the table's preset, e.g. model:tpu-v1,clock=350M", 1},
    {"markdown", KeyMarkdown, NULL, 0, "As tables of docs/tpu.md", 2},
    {"json", KeyJson, NULL, 0, "One JSON object on standard output, nothing else there",
     2},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
  published_arguments *a = state->input;
  switch (key) {
    case KeyDevice:
      a->device = text;
      return 0;
    case KeyMarkdown:
      a->markdown = 1;
      return 0;
    case KeyJson:
      a->common.json = 1;
      return 0;
    case ARGP_KEY_ARG:
      for (size_t i = 0; i < Tables; i++) {
        if (strcmp(tables[i].name, text) == 0) a->only = &tables[i];
      }
      if (a->only != NULL && state->arg_num == 0) return 0;
      a->common.failed =
          a->only != NULL
              ? systole_story(SYSTOLE_EXIT_USAGE, "one table at a time, or none for all")
              : systole_story(SYSTOLE_EXIT_USAGE,
                              "there is no table '%.60s'; there are edge-tpu and tpu-v1",
                              text);
      return EINVAL;
    default:
      return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "[tpu-v1|edge-tpu]",
    .doc =
        "Runs networks on models of published machines, cycles without data, and sets "
        "what comes out beside what was published: the six applications of the TPU v1 "
        "paper by what the array does, networks of the Edge TPU's latency table in "
        "milliseconds. Nothing is fitted: docs/tpu.md has the assumptions."
        "\vExamples:\n"
        "  systole published\n"
        "  systole published tpu-v1 --json\n"
        "  systole published edge-tpu --device model:edge-tpu,clock=500M"};

/* ---- a table ------------------------------------------------------------------------
 */

/* A row: what was published, and what is modelled. */
typedef struct row {
  char text[160]; /* behind the fields */
  const char *fields[MaxFields];
  int count;
  systole_layers_sum sum;
  double link_ms; /* parameters that come at each inference */
} row;

typedef struct sheet {
  const table *table;
  row rows[MaxRows];
  size_t count;
} sheet;

static int is_tpu(const sheet *s) { return strcmp(s->table->name, "tpu-v1") == 0; }

/* Field `index` of a row as a number. */
static double figure(const row *r, int index) {
  return index < r->count ? strtod(r->fields[index], NULL) : 0;
}

/* The first comment line, without its mark and its end. */
static void title_of(char out[128], const table *t) {
  snprintf(out, 128, "%s", t->lines[0] + 2);
  out[strcspn(out, "\n")] = '\0';
}

static void read_rows(sheet *s) {
  for (int i = 0; s->table->lines[i] != NULL && s->count < MaxRows; i++) {
    if (s->table->lines[i][0] == '#') continue;
    row *r = &s->rows[s->count++];
    snprintf(r->text, sizeof r->text, "%s", s->table->lines[i]);
    r->text[strcspn(r->text, "\n")] = '\0';
    for (char *cursor = r->text; cursor != NULL && r->count < MaxFields;) {
      r->fields[r->count++] = cursor;
      cursor = strchr(cursor, ',');
      if (cursor != NULL) *cursor++ = '\0';
    }
  }
}

static int run_row(row *r, const sheet *s, const char *device) {
  systole_device_options without = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_layers layers = {0};
  systole_device *model = NULL;
  without.timing_only = 1;
  int code = systole_layers_open(&layers, r->fields[1]);
  if (code == 0) {
    code = systole_open(&model, device != NULL ? device : r->fields[2], &without);
  }
  if (code == 0) code = systole_layers_time(&r->sum, &layers, model);
  if (code == 0 && !is_tpu(s)) {
    const double beyond = (double)r->sum.weights - 1e6 * figure(r, 3);
    if (beyond > 0) r->link_ms = 1e3 * beyond / (1e9 * figure(r, 4));
  }
  systole_device_close(model);
  systole_layers_free(&layers);
  return code;
}

/* ---- what is shown ------------------------------------------------------------------
 */

typedef struct shares {
  double active, weight_stall, weight_shift, rest, tops;
} shares;

static shares modelled(const row *r) {
  const systole_ledger *l = &r->sum.ledger;
  const double cycles = (double)r->sum.cycles;
  shares s = {100 * (double)l->active / cycles, 100 * (double)l->weight_stall / cycles,
              100 * (double)l->weight_shift / cycles, 0,
              2e-12 * (double)r->sum.macs / r->sum.seconds};
  s.rest = 100 - s.active - s.weight_stall - s.weight_shift;
  return s;
}

static shares published(const row *r) {
  shares s = {figure(r, 3), figure(r, 4), figure(r, 5), 0, figure(r, 6)};
  s.rest = 100 - s.active - s.weight_stall - s.weight_shift;
  return s;
}

static double milliseconds(const row *r) { return 1e3 * r->sum.seconds + r->link_ms; }

static double peak_tops(const row *r) {
  const double dim = r->sum.geometry.dim;
  return 2e-6 * dim * dim * r->sum.clock_mhz;
}

static void show_tpu(const sheet *s, int markdown) {
  const char *form = markdown ? "| %s | %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n"
                              : "  %-7s %-10s %12.1f %13.1f %13.1f %9.1f %7.1f\n";
  if (markdown) {
    printf(
        "| Application | | Array active, %% | Weight stall, %% | Weight shift, %% | The "
        "rest, %% | TOPS |\n|---|---|---|---|---|---|---|\n");
  } else {
    printf("%s  %-7s %-10s %12s %13s %13s %9s %7s%s\n", systole_text_dim(), "", "",
           "array active", "weight stall", "weight shift", "the rest", "TOPS",
           systole_text_plain());
  }
  for (size_t i = 0; i < s->count; i++) {
    const row *r = &s->rows[i];
    const shares m = modelled(r), p = published(r);
    printf(form, r->fields[0], "modelled", m.active, m.weight_stall, m.weight_shift,
           m.rest, m.tops);
    printf(form, "", "published", p.active, p.weight_stall, p.weight_shift, p.rest,
           p.tops);
  }
  printf("%s%s of %.1f TOPS; memory %s.\n", markdown ? "\n" : "\n  ",
         "Per cent of cycles; TOPS are useful operations", peak_tops(&s->rows[0]),
         s->rows[0].sum.memory);
  printf(
      "%sLSTMs: 34 GB/s of int8 weights keep an int8 array busy in at most 4.7 and "
      "7.1 %% of the cycles (batch 64 and 96); the paper has\n%s8.2 and 10.5 %%, "
      "because operands of 16 bits pass the array more than once.\n",
      markdown ? "" : "  ", markdown ? "" : "  ");
}

static void show_edge(const sheet *s, int markdown) {
  const char *form = markdown ? "| %s | %.2f | %.2f | %.1f | %.1f | %.0f | %.0f |\n"
                              : "  %-14s %14.2f %10.2f %12.1f %11.1f %13.0f %14.0f\n";
  if (markdown) {
    printf(
        "| Network | modelled, ms | of it parameters over the link | USB, published | "
        "dev board, published | desktop CPU, published | embedded CPU, published "
        "|\n|---|---|---|---|---|---|---|\n");
  } else {
    printf("%s  %-14s %14s %10s %12s %11s %13s %14s%s\n", systole_text_dim(),
           "milliseconds", "modelled", "of it link", "USB (pub.)", "dev board",
           "desktop CPU", "embedded CPU", systole_text_plain());
  }
  for (size_t i = 0; i < s->count; i++) {
    const row *r = &s->rows[i];
    printf(form, r->fields[0], milliseconds(r), r->link_ms, figure(r, 6), figure(r, 8),
           figure(r, 5), figure(r, 7));
  }
  printf("%sThe array's peak is %.2f TOPS; memory %s.\n", markdown ? "\n" : "\n  ",
         peak_tops(&s->rows[0]), s->rows[0].sum.memory);
}

static void show(const sheet *s, int markdown) {
  char title[128];
  title_of(title, s->table);
  if (markdown) {
    printf("### %s\n\n", title);
  } else {
    printf("%s%s%s\n\n", systole_text_bold(), title, systole_text_plain());
  }
  if (is_tpu(s)) {
    show_tpu(s, markdown);
  } else {
    show_edge(s, markdown);
  }
}

static int add_shares(cJSON *object, const char *key, const shares *s) {
  cJSON *entry = cJSON_AddObjectToObject(object, key);
  return entry != NULL && cJSON_AddNumberToObject(entry, "active", s->active) &&
         cJSON_AddNumberToObject(entry, "weight_stall", s->weight_stall) &&
         cJSON_AddNumberToObject(entry, "weight_shift", s->weight_shift) &&
         cJSON_AddNumberToObject(entry, "rest", s->rest) &&
         cJSON_AddNumberToObject(entry, "tops", s->tops);
}

static int add_milliseconds(cJSON *object, const row *r) {
  cJSON *m = cJSON_AddObjectToObject(object, "modelled");
  cJSON *p = cJSON_AddObjectToObject(object, "published");
  return m != NULL && p != NULL && cJSON_AddNumberToObject(m, "ms", milliseconds(r)) &&
         cJSON_AddNumberToObject(m, "link_ms", r->link_ms) &&
         cJSON_AddNumberToObject(p, "desktop_cpu_ms", figure(r, 5)) &&
         cJSON_AddNumberToObject(p, "usb_ms", figure(r, 6)) &&
         cJSON_AddNumberToObject(p, "embedded_cpu_ms", figure(r, 7)) &&
         cJSON_AddNumberToObject(p, "dev_board_ms", figure(r, 8));
}

static int add_row(cJSON *array, const sheet *s, const row *r) {
  cJSON *entry = cJSON_CreateObject();
  if (entry == NULL || !cJSON_AddItemToArray(array, entry)) {
    cJSON_Delete(entry);
    return 0;
  }
  int good = cJSON_AddStringToObject(entry, "application", r->fields[0]) &&
             cJSON_AddStringToObject(entry, "network", r->fields[1]) &&
             systole_json_u64(entry, "macs", r->sum.macs) &&
             systole_json_u64(entry, "weights", r->sum.weights) &&
             systole_json_u64(entry, "cycles", r->sum.cycles) &&
             cJSON_AddNumberToObject(entry, "peak_tops", peak_tops(r)) &&
             cJSON_AddStringToObject(entry, "memory", r->sum.memory);
  cJSON *ledger = good ? cJSON_AddObjectToObject(entry, "ledger") : NULL;
  good = ledger != NULL;
  for (int part = 0; good && part < SystoleLedgerParts; part++) {
    good = systole_json_u64(ledger, systole_ledger_name(part),
                            systole_ledger_part(&r->sum.ledger, part));
  }
  if (good && is_tpu(s)) {
    const shares m = modelled(r), p = published(r);
    good = add_shares(entry, "modelled", &m) && add_shares(entry, "published", &p);
  } else if (good) {
    good = add_milliseconds(entry, r);
  }
  return good;
}

static int show_json(const sheet *sheets, size_t count) {
  cJSON *object = cJSON_CreateObject();
  cJSON *array = object != NULL ? cJSON_AddArrayToObject(object, "tables") : NULL;
  int good = array != NULL;
  for (size_t i = 0; good && i < count; i++) {
    char title[128];
    cJSON *entry = cJSON_CreateObject();
    title_of(title, sheets[i].table);
    good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
           cJSON_AddStringToObject(entry, "table", sheets[i].table->name) &&
           cJSON_AddStringToObject(entry, "title", title);
    cJSON *rows = good ? cJSON_AddArrayToObject(entry, "rows") : NULL;
    good = rows != NULL;
    for (size_t n = 0; good && n < sheets[i].count; n++) {
      good = add_row(rows, &sheets[i], &sheets[i].rows[n]);
    }
  }
  const int code = systole_show_json(good ? object : NULL);
  cJSON_Delete(object);
  return code;
}

int systole_main_published(int argc, char **argv) {
  published_arguments a = {.only = NULL};
  systole_common_init(&a.common);
  int code = systole_parse(&parser, "published", argc, argv, &a, &a.common);
  if (code != 0) return code;
  if (a.device != NULL && a.only == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--device takes the place of one table's preset: say which "
                         "table, tpu-v1 or edge-tpu");
  }
  sheet *sheets = calloc(Tables, sizeof *sheets);
  size_t count = 0;
  if (sheets == NULL) return systole_story_errno(ENOMEM, "cannot hold the tables");
  for (size_t t = Tables; t-- > 0 && code == 0;) { /* tpu-v1 before edge-tpu */
    if (a.only != NULL && a.only != &tables[t]) continue;
    sheet *s = &sheets[count++];
    s->table = &tables[t];
    read_rows(s);
    for (size_t i = 0; i < s->count && code == 0; i++) {
      code = run_row(&s->rows[i], s, a.device);
    }
  }
  if (code == 0 && a.common.json) {
    code = show_json(sheets, count);
  } else {
    for (size_t i = 0; i < count && code == 0; i++) {
      if (i > 0) printf("\n");
      show(&sheets[i], a.markdown);
    }
  }
  free(sheets);
  return code;
}
