#include "layers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "number.h"
#include "progress.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "systole_layers_tables.h" /* generated from layers/ */
#include "text.h"

enum { Fields = 13, MaxLayers = 4096, MaxFile = 1 << 20, MaxLines = 160 };

typedef struct table {
  const char *name;
  const char *lines[MaxLines]; /* each with its end; the last one is NULL */
} table;

static const table tables[] = {SYSTOLE_LAYERS_TABLES};
enum { Tables = sizeof tables / sizeof tables[0] };

static const table *find_table(const char *name) {
  for (size_t i = 0; i < Tables; i++) {
    if (strcmp(tables[i].name, name) == 0) return &tables[i];
  }
  return NULL;
}

int systole_layers_known(const char *name) { return find_table(name) != NULL; }

/* ---- reading -------------------------------------------------------------------- */

static int bad_line(const char *name, int line, const char *what) {
  return systole_story(SYSTOLE_EXIT_USAGE,
                       "line %d of %s: %s; a layer is name,batch,height,width,channels,"
                       "out_channels,kernel_height,kernel_width,stride,pad,groups,relu,"
                       "residual",
                       line, name, what);
}

static int parse_flag(int *out, const char *text) {
  *out = strcmp(text, "yes") == 0;
  return *out || strcmp(text, "no") == 0;
}

static int parse_layer(systole_layer *layer, char *text, const char *name, int line) {
  char *fields[Fields];
  int count = 0;
  for (char *cursor = text; cursor != NULL && count < Fields; count++) {
    fields[count] = cursor;
    cursor = strchr(cursor, ',');
    if (cursor != NULL) *cursor++ = '\0';
    if (cursor != NULL && count == Fields - 1) {
      return bad_line(name, line, "it has more than 13 fields");
    }
  }
  if (count < Fields) return bad_line(name, line, "it has fewer than 13 fields");
  const systole_conv2d initial = SYSTOLE_CONV2D_INIT;
  memset(layer, 0, sizeof *layer);
  layer->conv = initial;
  systole_conv2d *c = &layer->conv;
  if (fields[0][0] == '\0' || strlen(fields[0]) >= sizeof layer->name) {
    return bad_line(name, line, "its name is empty or longer than 39 letters");
  }
  snprintf(layer->name, sizeof layer->name, "%s", fields[0]);
  int64_t stride = 0, pad = 0;
  int64_t *const numbers[] = {
      &c->batch,         &c->height,       &c->width, &c->channels, &c->out_channels,
      &c->kernel_height, &c->kernel_width, &stride,   &pad,         &c->groups};
  for (int i = 0; i < 10; i++) {
    char what[48];
    snprintf(what, sizeof what, "field %d of line %d", i + 2, line);
    const int code = systole_parse_size(numbers[i], fields[i + 1], what);
    if (code != 0) return code;
  }
  c->stride_height = c->stride_width = stride;
  c->pad_top = c->pad_bottom = c->pad_left = c->pad_right = pad;
  layer->extras.bias = layer->extras.requantise = 1;
  if (!parse_flag(&layer->extras.relu, fields[11]) ||
      !parse_flag(&layer->extras.residual, fields[12])) {
    return bad_line(name, line, "relu and residual are yes or no");
  }
  return 0;
}

/* The text of a file, with a zero behind it. */
static int read_text(char **out, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    char known[256] = "";
    for (size_t i = 0; i < Tables; i++) {
      const size_t used = strlen(known);
      snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
               tables[i].name);
    }
    return systole_story_errno(
        errno, "--layers is '%s', which is no built-in network (%s) and no file", path,
        known);
  }
  int code = 0;
  char *text = malloc(MaxFile + 1);
  if (text == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read %s", path);
  } else {
    const size_t got = fread(text, 1, MaxFile + 1, file);
    if (ferror(file)) {
      code = systole_story_errno(errno, "cannot read %s", path);
    } else if (got > MaxFile || memchr(text, '\0', got) != NULL) {
      code = systole_story(SYSTOLE_EXIT_USAGE, "%s is no table of layers", path);
    } else {
      text[got] = '\0';
    }
  }
  fclose(file);
  if (code != 0) {
    free(text);
    text = NULL;
  }
  *out = text;
  return code;
}

static int parse_text(systole_layers *out, char *text, const char *name) {
  int code = 0, line = 0;
  for (char *cursor = text; cursor != NULL && code == 0;) {
    char *next = strchr(cursor, '\n');
    if (next != NULL) *next++ = '\0';
    line++;
    char *end = strchr(cursor, '\r');
    if (end != NULL) *end = '\0';
    if (cursor[0] == '#') {
      if (out->title[0] == '\0') {
        snprintf(out->title, sizeof out->title, "%s", cursor + 1 + (cursor[1] == ' '));
      }
    } else if (cursor[0] != '\0') {
      if (out->count == MaxLayers) {
        return systole_story(SYSTOLE_EXIT_USAGE, "%s has more than %d layers", name,
                             MaxLayers);
      }
      systole_layer *grown = realloc(out->layers, (out->count + 1) * sizeof *out->layers);
      if (grown == NULL) return systole_story_errno(ENOMEM, "cannot read %s", name);
      out->layers = grown;
      code = parse_layer(&out->layers[out->count], cursor, name, line);
      out->count++;
    }
    cursor = next;
  }
  if (code == 0 && out->count == 0) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "%s has no layers", name);
  }
  return code;
}

/* A built-in table as one text; NULL when memory is exhausted. */
static char *join(const table *known) {
  size_t bytes = 1;
  for (int i = 0; known->lines[i] != NULL; i++) bytes += strlen(known->lines[i]);
  char *text = malloc(bytes), *end = text;
  for (int i = 0; text != NULL && known->lines[i] != NULL; i++) {
    const size_t length = strlen(known->lines[i]);
    memcpy(end, known->lines[i], length + 1);
    end += length;
  }
  return text;
}

int systole_layers_open(systole_layers *out, const char *name) {
  memset(out, 0, sizeof *out);
  const table *known = find_table(name);
  char *text = NULL;
  int code = 0;
  if (known != NULL) {
    text = join(known);
    if (text == NULL) code = systole_story_errno(ENOMEM, "cannot hold a table");
  } else {
    code = read_text(&text, name);
  }
  snprintf(out->name, sizeof out->name, "%s", known != NULL ? name : "layers");
  if (code == 0) code = parse_text(out, text, name);
  free(text);
  if (code != 0) systole_layers_free(out);
  return code;
}

void systole_layers_free(systole_layers *layers) {
  free(layers->layers);
  memset(layers, 0, sizeof *layers);
}

int systole_layer_task(systole_conv_task *task, const systole_layer *layer,
                       uint64_t number, uint64_t seed) {
  const systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  memset(task, 0, sizeof *task);
  task->conv = layer->conv;
  task->epilogue = epilogue;
  task->no_data = layer->extras.no_data;
  int code = systole_conv_task_size(task, layer->extras.requantise);
  if (code == 0) {
    code = systole_conv_task_draw(task, &layer->extras, seed + number * 1000003);
  }
  return code;
}

/* ---- running -------------------------------------------------------------------- */

/* Sums over the layers. */
typedef struct total {
  uint64_t macs, cycles, mismatches;
  double seconds, wall_s, cpu_s, sim_cpu_s, ceiling_cycles;
  systole_ledger ledger;
  int checked, timing_only;
} total;

static void add(total *t, const systole_result *r) {
  const systole_stats *s = &r->stats;
  t->macs += s->macs;
  t->cycles += s->cycles;
  t->mismatches += r->mismatches;
  t->seconds += s->seconds;
  t->wall_s += s->wall_s;
  t->cpu_s += s->cpu_s;
  t->sim_cpu_s += s->sim_cpu_s;
  t->ledger.active += s->ledger.active;
  t->ledger.start += s->ledger.start;
  t->ledger.drain += s->ledger.drain;
  t->ledger.output_stall += s->ledger.output_stall;
  t->ledger.input_stall += s->ledger.input_stall;
  t->ledger.weight_stall += s->ledger.weight_stall;
  t->ledger.weight_shift += s->ledger.weight_shift;
  t->ledger.other += s->ledger.other;
  if (s->utilisation_ceiling > 0) {
    t->ceiling_cycles += (double)s->macs / s->utilisation_ceiling;
  }
}

static double utilisation(const total *t, const systole_geometry *g) {
  const double dim = g->dim;
  return t->cycles > 0 ? (double)t->macs / (dim * dim * (double)t->cycles) : 0;
}

static int run_layer(systole_result *result, const systole_station *station,
                     const systole_layer *layer, uint64_t number,
                     const systole_layers_request *request) {
  systole_conv_task task;
  systole_samples samples = {0};
  systole_mismatch mismatch = {0};
  void *y = NULL, *expected = NULL;
  int code = systole_layer_task(&task, layer, number, request->seed);
  if (code != 0) goto done;
  const int timing_only = systole_device_timing_only(station->device);
  if (!timing_only) {
    y = malloc(systole_conv_task_bytes(&task) + 1);
    expected = malloc(systole_conv_task_bytes(&task) + 1);
  }
  if (!timing_only && (y == NULL || expected == NULL)) {
    code = systole_story_errno(ENOMEM, "cannot hold the result");
    goto done;
  }
  code = systole_conv_task_measure(&samples, station, &task, y, request->repeat, 0.05);
  if (code != 0) goto done;
  systole_conv_task_summarise(result, station, &task, &samples);
  snprintf(result->label, sizeof result->label, "%s", layer->name);
  result->has_seed = !timing_only;
  result->seed = request->seed;
  if (!request->no_check && !timing_only) {
    const char *by = NULL;
    code =
        systole_conv_task_solve(expected, &by, &task, request->device, SystoleCheckQuick);
    if (code != 0) goto done;
    systole_conv_task_compare(result, &mismatch, &task, y, expected, by);
    if (mismatch.count > 0) systole_conv_wrong_story(result, &mismatch, &task);
  }
  if (systole_interrupted()) code = systole_interrupted_story();

done:
  free(expected);
  free(y);
  systole_samples_free(&samples);
  systole_conv_task_free(&task);
  return code;
}

static void show_heading(const systole_layers *layers, const systole_layers_request *r) {
  printf("%s%s%s   on %s, seed %" PRIu64 "\n\n", systole_text_bold(), layers->title,
         systole_text_plain(), r->device, r->seed);
  printf("%s  %-20s %-24s %12s %12s %12s %9s%s\n", systole_text_dim(), "layer",
         "input and kernel", "MACs", "cycles", "utilisation", "waited",
         systole_text_plain());
}

static void show_layer(const systole_result *r) {
  const systole_conv2d *c = &r->conv;
  char shape[48], macs[SystoleText], cycles[SystoleText] = "", share[24] = "";
  char waited[SystoleText];
  snprintf(shape, sizeof shape,
           "%" PRId64 "x%" PRId64 "x%" PRId64 " %" PRId64 "x%" PRId64 " -> %" PRId64,
           c->height, c->width, c->channels, c->kernel_height, c->kernel_width,
           c->out_channels);
  if (r->stats.has_cycles) {
    systole_text_count(cycles, r->stats.cycles);
    snprintf(share, sizeof share, "%.1f %%", 100 * r->stats.utilisation);
  } else {
    snprintf(share, sizeof share, "%.3g GOP/s", r->stats.gops);
  }
  printf("  %-20s %-24s %12s %12s %12s %9s%s%s%s\n", r->label, shape,
         systole_text_count(macs, r->stats.macs), cycles, share,
         systole_text_seconds(waited, r->stats.wall_s),
         r->mismatches > 0 ? systole_text_bad() : "", r->mismatches > 0 ? "  WRONG" : "",
         systole_text_plain());
  fflush(stdout);
}

static void show_total(const total *t, const systole_station *station,
                       const char *memory) {
  char a[SystoleText], b[SystoleText];
  printf("\n  %-20s %-24s %12s", "all", "", systole_text_count(a, t->macs));
  if (t->cycles > 0) {
    printf(" %12s %10.1f %%", systole_text_count(b, t->cycles),
           100 * utilisation(t, &station->geometry));
  } else {
    printf(" %12s %7.3g GOP/s", "",
           t->seconds > 0 ? 2e-9 * (double)t->macs / t->seconds : 0);
  }
  printf(" %9s\n", systole_text_seconds(b, t->wall_s));
  if (t->cycles > 0) {
    printf("\n  where the cycles went:");
    for (int part = 0; part < SystoleLedgerParts; part++) {
      printf("%s %s %.1f %%", part > 0 ? "," : "", systole_ledger_name(part),
             100.0 * (double)systole_ledger_part(&t->ledger, part) / (double)t->cycles);
    }
    printf("\n  padding to %d x %d allows %.1f %%; memory %s", station->geometry.dim,
           station->geometry.dim,
           t->ceiling_cycles > 0 ? 100.0 * (double)t->macs / t->ceiling_cycles : 100.0,
           memory != NULL ? memory : "?");
    if (t->sim_cpu_s > 0) {
      printf("; simulated in %s of CPU time, %s GMAC a second",
             systole_text_seconds(a, t->sim_cpu_s),
             systole_text_figure(b, (double)t->macs / t->sim_cpu_s / 1e9));
    }
    printf("\n");
  }
  if (t->checked) {
    printf("  %s\n", t->mismatches == 0 ? "every result is exact" : "results are WRONG");
  } else if (t->timing_only) {
    printf("  timing only: nothing was computed\n");
  }
}

static int show_json(const systole_layers *layers, const systole_result *results,
                     const total *t, const systole_station *station) {
  cJSON *object = cJSON_CreateObject();
  int good =
      object != NULL &&
      cJSON_AddStringToObject(object, "device", systole_device_name(station->device)) &&
      cJSON_AddStringToObject(object, "workload", layers->name) &&
      cJSON_AddStringToObject(object, "title", layers->title) &&
      systole_json_u64(object, "macs", t->macs) &&
      cJSON_AddBoolToObject(object, "checked", t->checked) != NULL;
  if (good && t->checked) good = systole_json_u64(object, "mismatches", t->mismatches);
  if (good && t->timing_only) {
    good = cJSON_AddTrueToObject(object, "timing_only") != NULL;
  }
  if (good && t->cycles > 0) {
    good = systole_json_u64(object, "cycles", t->cycles) &&
           cJSON_AddNumberToObject(object, "utilisation",
                                   utilisation(t, &station->geometry)) &&
           cJSON_AddNumberToObject(object, "utilisation_ceiling",
                                   (double)t->macs / t->ceiling_cycles) &&
           (results[0].stats.memory == NULL ||
            cJSON_AddStringToObject(object, "memory", results[0].stats.memory));
    cJSON *ledger = good ? cJSON_AddObjectToObject(object, "ledger") : NULL;
    good = ledger != NULL;
    for (int part = 0; good && part < SystoleLedgerParts; part++) {
      good = systole_json_u64(ledger, systole_ledger_name(part),
                              systole_ledger_part(&t->ledger, part));
    }
  }
  good = good && cJSON_AddNumberToObject(object, "seconds", t->seconds) &&
         cJSON_AddNumberToObject(object, "wall_s", t->wall_s) &&
         cJSON_AddNumberToObject(object, "cpu_s", t->cpu_s);
  if (good && t->sim_cpu_s > 0) {
    good = cJSON_AddNumberToObject(object, "sim_cpu_s", t->sim_cpu_s) &&
           cJSON_AddNumberToObject(object, "sim_macs_per_cpu_s",
                                   (double)t->macs / t->sim_cpu_s);
  }
  cJSON *array = good ? cJSON_AddArrayToObject(object, "layers") : NULL;
  good = array != NULL;
  for (size_t i = 0; good && i < layers->count; i++) {
    cJSON *entry = systole_result_json(&results[i]);
    good = entry != NULL && cJSON_AddItemToArray(array, entry);
  }
  const int code = systole_show_json(good ? object : NULL);
  cJSON_Delete(object);
  return code;
}

int systole_layers_time(systole_layers_sum *out, const systole_layers *layers,
                        systole_device *device) {
  memset(out, 0, sizeof *out);
  int code =
      systole_story_of(systole_device_geometry(device, &out->geometry),
                       "%s does not tell its geometry", systole_device_name(device));
  const int adds = (out->geometry.features >> SYSTOLE_FEATURE_RESIDUAL & 1u) != 0;
  for (size_t i = 0; i < layers->count && code == 0; i++) {
    systole_layer layer = layers->layers[i];
    systole_conv_task task;
    systole_stats stats;
    layer.extras.no_data = 1;
    if (!adds) layer.extras.residual = 0;
    code = systole_layer_task(&task, &layer, i, 1);
    if (code == 0) {
      const systole_status status =
          systole_conv2d_s8(device, &task.conv, NULL, NULL, NULL, &stats);
      code =
          status == SYSTOLE_ERR_INTERRUPTED
              ? systole_interrupted_story()
              : systole_story_of(status, "%s failed on the layer %s of %s",
                                 systole_device_name(device), layer.name, layers->name);
    }
    if (code == 0) {
      total sums = {.ledger = out->ledger};
      const systole_result result = {.stats = stats};
      add(&sums, &result);
      out->ledger = sums.ledger;
      out->macs += stats.macs;
      out->cycles += stats.cycles;
      out->seconds += stats.seconds;
      out->weights += (uint64_t)(task.job.k * task.job.n);
      out->clock_mhz = stats.clock_mhz;
      if (stats.energy_j.kind != SYSTOLE_KIND_UNKNOWN) {
        out->energy_j[0] += stats.energy_j.low;
        out->energy_j[1] += stats.energy_j.nominal;
        out->energy_j[2] += stats.energy_j.high;
      }
      snprintf(out->memory, sizeof out->memory, "%s",
               stats.memory != NULL ? stats.memory : "");
    }
    systole_conv_task_free(&task);
    if (code == 0 && systole_interrupted()) code = systole_interrupted_story();
  }
  return code;
}

/* One bar over all layers. */
typedef struct all_bar {
  systole_bar bar;
  uint64_t done, total;
} all_bar;

static int update(void *user, uint64_t done, uint64_t of) {
  all_bar *all = user;
  (void)of;
  return systole_bar_update(&all->bar, all->done + done, all->total);
}

static uint64_t macs_of(const systole_layer *layer) {
  int64_t height = 0, width = 0;
  const systole_conv2d *c = &layer->conv;
  if (systole_conv2d_output(&height, &width, c) != SYSTOLE_OK) return 0;
  return (uint64_t)(c->batch * height * width) * (uint64_t)(c->out_channels) *
         (uint64_t)(c->kernel_height * c->kernel_width * (c->channels / c->groups));
}

int systole_layers_run(const systole_layers_request *request) {
  systole_layers layers;
  systole_station station = {0};
  systole_result *results = NULL;
  total t = {0};
  all_bar bar = {0};
  int code = systole_layers_open(&layers, request->name);
  if (code != 0) return code;
  code = systole_station_open(&station, request->device, &request->common->device);
  if (code != 0) goto done;
  results = calloc(layers.count, sizeof *results);
  if (results == NULL) {
    code = systole_story_errno(ENOMEM, "cannot hold the results");
    goto done;
  }
  const int adds = station.geometry.dim == 0 ||
                   (station.geometry.features >> SYSTOLE_FEATURE_RESIDUAL & 1u) != 0;
  int dropped = 0;
  for (size_t i = 0; i < layers.count; i++) {
    bar.total += macs_of(&layers.layers[i]);
    layers.layers[i].extras.no_data = request->common->device.timing_only;
    if (adds || !layers.layers[i].extras.residual) continue;
    layers.layers[i].extras.residual = 0;
    dropped++;
  }
  t.timing_only = systole_device_timing_only(station.device);
  t.checked = !request->no_check && !t.timing_only;
  if (!request->common->json) show_heading(&layers, request);
  systole_bar_start(&bar.bar, request->device);
  systole_device_set_progress(station.device, update, &bar);
  for (size_t i = 0; i < layers.count && code == 0; i++) {
    snprintf(results[i].workload, sizeof results[i].workload, "%s", layers.name);
    code = run_layer(&results[i], &station, &layers.layers[i], i, request);
    if (code != 0) break;
    bar.done += results[i].stats.macs;
    add(&t, &results[i]);
    if (!request->common->json) {
      systole_bar_end(&bar.bar);
      show_layer(&results[i]);
    }
  }
  systole_bar_end(&bar.bar);
  systole_device_set_progress(station.device, NULL, NULL);
  if (code != 0) goto done;
  if (request->common->json) {
    code = show_json(&layers, results, &t, &station);
  } else {
    show_total(&t, &station, results[0].stats.memory);
    if (dropped > 0) {
      printf("  this device adds no residuals: %d layers ran without theirs\n", dropped);
    }
  }
  if (code == 0 && t.mismatches > 0) code = SYSTOLE_EXIT_WRONG; /* its story is stored */

done:
  free(results);
  code = systole_station_finish(&station, code, request->common->json);
  systole_layers_free(&layers);
  return code;
}
