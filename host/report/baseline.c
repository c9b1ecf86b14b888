#include "report/baseline.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report/json.h"
#include "story.h"

/* A comparison of a thousand runs is about 3 MB. */
enum { MaxMegabytes = 64 };

/* Everything up to the limit; a pipe has no size beforehand. */
static int read_all(char **out, size_t *size, const char *path) {
  const size_t limit = (size_t)MaxMegabytes << 20;
  size_t capacity = 1 << 16, length = 0;
  struct stat status;
  int code = 0;
  *out = NULL;
  *size = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return systole_story_errno(errno, "cannot read the baseline %s", path);
  char *text = malloc(capacity + 1);
  if (text == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read the baseline %s", path);
    goto done;
  }
  if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "the baseline %s is a folder; give the results.json in it", path);
    goto done;
  }
  for (;;) {
    length += fread(text + length, 1, capacity - length, file);
    if (ferror(file)) {
      code = systole_story_errno(errno, "cannot read the baseline %s", path);
      goto done;
    }
    if (length < capacity) break;
    if (capacity > limit) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "the baseline %s is larger than %d MiB; a baseline is the "
                           "results.json of an earlier comparison",
                           path, (int)MaxMegabytes);
      goto done;
    }
    capacity *= 2;
    char *longer = realloc(text, capacity + 1);
    if (longer == NULL) {
      code = systole_story_errno(ENOMEM, "cannot read the baseline %s", path);
      goto done;
    }
    text = longer;
  }
  text[length] = '\0';
  *out = text;
  *size = length;
  text = NULL;

done:
  free(text);
  fclose(file);
  return code;
}

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return text != NULL ? text : "";
}

/* 1 and the number, or 0 when it is not there or no sensible one. */
static int number_of(double *out, const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  *out = 0;
  if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < 0) {
    return 0;
  }
  *out = item->valuedouble;
  return 1;
}

/* Whole numbers beyond 2^53 would have lost digits on their way through a double. */
static int whole_of(int64_t *out, const cJSON *object, const char *key) {
  double value;
  *out = 0;
  if (!number_of(&value, object, key) || value > 9007199254740992.0 ||
      value != floor(value)) {
    return 0;
  }
  *out = (int64_t)value;
  return 1;
}

static int read_run(systole_baseline_run *out, const cJSON *entry, const char *path,
                    size_t index) {
  static const char *const texts[] = {"device", "workload"};
  static const char *const numbers[] = {"m", "n", "k"};
  int64_t *const sizes[] = {&out->m, &out->n, &out->k};
  for (int i = 0; i < 2; i++) {
    if (text_of(entry, texts[i])[0] != '\0') continue;
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "the baseline %s is damaged: its result %zu has no '%s'", path,
                         index + 1, texts[i]);
  }
  for (int i = 0; i < 3; i++) {
    if (whole_of(sizes[i], entry, numbers[i])) continue;
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "the baseline %s is damaged: its result %zu has no whole '%s'",
                         path, index + 1, numbers[i]);
  }
  snprintf(out->device, sizeof out->device, "%s", text_of(entry, "device"));
  snprintf(out->workload, sizeof out->workload, "%s", text_of(entry, "workload"));
  snprintf(out->label, sizeof out->label, "%s", text_of(entry, "label"));
  snprintf(out->memory, sizeof out->memory, "%s", text_of(entry, "memory"));
  number_of(&out->clock_mhz, entry, "clock_mhz");
  number_of(&out->wall_low_s, entry, "wall_low_s");
  number_of(&out->wall_high_s, entry, "wall_high_s");
  number_of(&out->gops, entry, "gops");
  if (!number_of(&out->wall_s, entry, "wall_s")) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "the baseline %s is damaged: its result %zu has no 'wall_s'",
                         path, index + 1);
  }
  int64_t cycles;
  if (cJSON_GetObjectItemCaseSensitive(entry, "cycles") != NULL) {
    if (!whole_of(&cycles, entry, "cycles")) {
      return systole_story(
          SYSTOLE_EXIT_USAGE,
          "the baseline %s is damaged: 'cycles' of its result %zu is no whole number",
          path, index + 1);
    }
    out->cycles = (uint64_t)cycles;
    out->exact = strcmp(text_of(entry, "clock_kind"), "measured") != 0;
  }
  return 0;
}

static int read_head(systole_baseline *out, const cJSON *object, const char *path) {
  const cJSON *schema = cJSON_GetObjectItemCaseSensitive(object, "schema");
  if (!cJSON_IsObject(object) || strcmp(text_of(object, "tool"), "systole") != 0 ||
      schema == NULL) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "the baseline %s is JSON, but not a results.json of Systole (its "
        "'tool' and 'schema' are missing); such a file is written by "
        "systole compare --out DIR",
        path);
  }
  if (!cJSON_IsNumber(schema) || schema->valuedouble != SystoleResultsSchema) {
    char *found = cJSON_PrintUnformatted(schema);
    const int code = systole_story(
        SYSTOLE_EXIT_USAGE,
        "the baseline %s has schema %.40s, and this version of Systole reads schema %d; "
        "make a new baseline with systole compare --out DIR",
        path, found != NULL ? found : "?", (int)SystoleResultsSchema);
    cJSON_free(found);
    return code;
  }
  const cJSON *machine = cJSON_GetObjectItemCaseSensitive(object, "machine");
  double cores;
  number_of(&cores, machine, "cores");
  out->cores = cores < 1e6 ? (int)cores : 0;
  snprintf(out->cpu, sizeof out->cpu, "%s", text_of(machine, "cpu"));
  snprintf(out->date, sizeof out->date, "%s", text_of(object, "date"));
  snprintf(out->version, sizeof out->version, "%s", text_of(object, "version"));
  snprintf(out->workload, sizeof out->workload, "%s", text_of(object, "workload"));
  return 0;
}

int systole_baseline_open(systole_baseline *out, const char *path) {
  char *text = NULL;
  size_t size = 0;
  cJSON *object = NULL;
  memset(out, 0, sizeof *out);
  int code = read_all(&text, &size, path);
  if (code != 0) return code;
  const char *end = NULL;
  object = cJSON_ParseWithLengthOpts(text, size + 1, &end, 1);
  if (object == NULL) {
    const size_t at = end != NULL && end >= text ? (size_t)(end - text) : 0;
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "the baseline %s is %s: the fault is at byte %zu of %zu; a "
                         "baseline is the results.json of an earlier comparison",
                         path, size == 0 ? "empty" : "no JSON, or cut short", at, size);
    goto done;
  }
  if ((code = read_head(out, object, path)) != 0) goto done;
  const cJSON *results = cJSON_GetObjectItemCaseSensitive(object, "results"), *entry;
  if (!cJSON_IsArray(results)) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "the baseline %s is damaged: it has no list 'results'", path);
    goto done;
  }
  out->path = strdup(path);
  out->runs = calloc((size_t)cJSON_GetArraySize(results) + 1, sizeof *out->runs);
  if (out->path == NULL || out->runs == NULL) {
    code = systole_story_errno(ENOMEM, "cannot read the baseline %s", path);
    goto done;
  }
  cJSON_ArrayForEach(entry, results) {
    if ((code = read_run(&out->runs[out->count], entry, path, out->count)) != 0)
      goto done;
    out->count++;
  }

done:
  cJSON_Delete(object);
  free(text);
  if (code != 0) systole_baseline_free(out);
  return code;
}

void systole_baseline_free(systole_baseline *baseline) {
  free(baseline->path);
  free(baseline->runs);
  memset(baseline, 0, sizeof *baseline);
}
