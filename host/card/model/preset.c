#include "preset.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "energy/energy.h"
#include "program/timing.h"
#include "support/error.h"
#include "systole_model_presets.h" /* generated from presets/ */

enum { MaxFile = 1 << 16 };

static const struct { const char *name, *text; } presets[] = {SYSTOLE_MODEL_PRESETS};
enum { Presets = sizeof presets / sizeof presets[0] };

/* ---- the object ---------------------------------------------------------------------
 */

/* Where a text comes from, for sentences. */
typedef struct reader {
  const char *scheme, *source;
  systole_status status; /* of what was wrong first */
} reader;

static void wrong(reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void wrong(reader *r, const char *format, ...) {
  char what[256];
  va_list arguments;
  if (r->status != SYSTOLE_OK) return;
  va_start(arguments, format);
  (void)vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  r->status = systole_fail(SYSTOLE_ERR_ARGUMENT, "%s: %s (docs/model.md has all keys)",
                           r->source, what);
}

static double number(reader *r, const cJSON *item, double low, double high, int whole) {
  if (!cJSON_IsNumber(item)) {
    wrong(r, "\"%s\" is no number", item->string);
    return low;
  }
  const double value = item->valuedouble;
  if (!isfinite(value) || value < low || value > high ||
      (whole && floor(value) < value)) {
    wrong(r, "\"%s\" is %.15g; it is %s from %.15g to %.15g", item->string, value,
          whole ? "a whole number" : "a number", low, high);
    return low;
  }
  return value;
}

static const char *text(reader *r, const cJSON *item) {
  if (cJSON_IsString(item)) return item->valuestring;
  wrong(r, "\"%s\" is no text", item->string);
  return "";
}

static int flag(reader *r, const cJSON *item) {
  if (cJSON_IsBool(item)) return cJSON_IsTrue(item);
  wrong(r, "\"%s\" is neither true nor false", item->string);
  return 0;
}

static void append_memory(reader *r, systole_preset *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void append_memory(reader *r, systole_preset *out, const char *format, ...) {
  const size_t used = strlen(out->memory);
  va_list arguments;
  va_start(arguments, format);
  const int length =
      vsnprintf(out->memory + used, sizeof out->memory - used, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof out->memory - used) {
    wrong(r, "its memory has too many changes");
  }
}

static void read_port(reader *r, systole_preset *out, const cJSON *item, int port) {
  if (!cJSON_IsObject(item)) {
    wrong(r, "\"%s\" is no object like {\"gb_per_s\": 34, \"latency_ns\": 100}",
          item->string);
    return;
  }
  const cJSON *entry;
  cJSON_ArrayForEach(entry, item) {
    if (strcmp(entry->string, "gb_per_s") == 0) {
      append_memory(r, out, "+gmem%d=%.9gGB/s", port, number(r, entry, 1e-3, 1e4, 0));
    } else if (strcmp(entry->string, "latency_ns") == 0) {
      append_memory(r, out, "+latency%d=%.9gns", port, number(r, entry, 0.1, 1e5, 0));
    } else if (strcmp(entry->string, "latency_cycles") == 0) {
      append_memory(r, out, "+latency%d=%.9g", port, number(r, entry, 1, 1e6, 1));
    } else {
      wrong(r,
            "\"%s\" has no key \"%.40s\"; there are gb_per_s, latency_ns and "
            "latency_cycles",
            item->string, entry->string);
    }
  }
}

/* Rows of a buffer whose bytes are given. */
static uint32_t rows_of(reader *r, const cJSON *item, int64_t row_bytes) {
  const double bytes = number(r, item, 1, 0x1p53, 1);
  const int64_t rows = (int64_t)bytes / row_bytes;
  if (r->status == SYSTOLE_OK && (rows * row_bytes != (int64_t)bytes || rows > 1 << 24)) {
    wrong(r,
          "\"%s\" is %.15g; it is a multiple of a row's %lld bytes, up to 16777216 rows",
          item->string, bytes, (long long)row_bytes);
  }
  return r->status == SYSTOLE_OK ? (uint32_t)rows : 0;
}

static void read_clock_kind(reader *r, systole_preset *out, const cJSON *item) {
  const char *kind = text(r, item);
  if (strcmp(kind, "published") == 0) {
    out->clock_kind = SYSTOLE_KIND_PUBLISHED;
  } else if (strcmp(kind, "assumed") == 0) {
    out->clock_kind = SYSTOLE_KIND_ASSUMED;
  } else {
    wrong(r, "\"clock_kind\" is \"%.20s\"; it is published or assumed", kind);
  }
}

static void read_memory(reader *r, systole_preset *out, const cJSON *item) {
  const char *memory = text(r, item);
  if (strlen(memory) >= sizeof out->memory) {
    wrong(r, "\"memory\" is too long");
  } else if (r->status == SYSTOLE_OK) {
    (void)snprintf(out->memory, sizeof out->memory, "%s", memory);
  }
}

static void read_technology(reader *r, systole_preset *out, const cJSON *item) {
  const char *name = text(r, item);
  out->technology = systole_technology_named(name);
  if (out->technology == NULL) {
    wrong(r, "\"technology\" is \"%.20s\"; it is 45nm, 28nm, 7nm or fpga-16nm", name);
  }
}

static void set_feature(systole_preset *out, int feature, int is) {
  out->geometry.features &= ~(1u << feature);
  if (is) out->geometry.features |= 1u << feature;
}

/* Keys other than those that others depend on. */
static void read_key(reader *r, systole_preset *out, const cJSON *item) {
  systole_geometry *g = &out->geometry;
  const char *key = item->string;
  const int64_t dim = g->dim;
  if (strcmp(key, "about") == 0) {
    (void)text(r, item);
  } else if (strcmp(key, "sources") == 0) {
    const cJSON *entry;
    int texts = cJSON_IsArray(item);
    cJSON_ArrayForEach(entry, item) texts &= cJSON_IsString(entry);
    if (!texts) wrong(r, "\"sources\" is no list of texts");
  } else if (strcmp(key, "dim") == 0 || strcmp(key, "memory") == 0) {
    return;
  } else if (strcmp(key, "ub_rows") == 0) {
    g->ub_rows = (uint32_t)number(r, item, 1, 1 << 24, 1);
  } else if (strcmp(key, "ub_bytes") == 0) {
    g->ub_rows = rows_of(r, item, dim);
  } else if (strcmp(key, "acc_rows") == 0) {
    g->acc_rows = (uint32_t)number(r, item, 1, 1 << 24, 1);
  } else if (strcmp(key, "acc_bytes") == 0) {
    g->acc_rows = rows_of(r, item, 4 * dim);
  } else if (strcmp(key, "weight_tiles") == 0) {
    g->weight_tiles = (uint32_t)number(r, item, 1, 1024, 1);
  } else if (strcmp(key, "axi_bytes") == 0) {
    g->axi_bytes = (int)number(r, item, 1, 64, 1);
  } else if (strcmp(key, "residual") == 0) {
    set_feature(out, SYSTOLE_FEATURE_RESIDUAL, flag(r, item));
  } else if (strcmp(key, "pool") == 0) {
    set_feature(out, SYSTOLE_FEATURE_POOL, flag(r, item));
  } else if (strcmp(key, "clock_mhz") == 0) {
    out->clock_mhz = number(r, item, 0.001, 2000, 0);
  } else if (strcmp(key, "clock_kind") == 0) {
    read_clock_kind(r, out, item);
  } else if (strcmp(key, "technology") == 0) {
    read_technology(r, out, item);
  } else if (strcmp(key, "memory_bytes") == 0) {
    out->memory_bytes = (uint64_t)number(r, item, 4096, 0x1p40, 1);
  } else if (strcmp(key, "gmem0") == 0) {
    read_port(r, out, item, 0);
  } else if (strcmp(key, "gmem1") == 0) {
    read_port(r, out, item, 1);
  } else {
    wrong(r, "there is no key \"%.40s\"", key);
  }
}

static int size_is_good(double dim) {
  return dim >= 4 && dim <= 1024 && floor(dim) >= dim &&
         ((unsigned)dim & ((unsigned)dim - 1)) == 0;
}

static void read_object(reader *r, systole_preset *out, const cJSON *object) {
  const cJSON *dim = cJSON_GetObjectItemCaseSensitive(object, "dim");
  const cJSON *memory = cJSON_GetObjectItemCaseSensitive(object, "memory");
  const cJSON *item;
  if (!cJSON_IsObject(object)) {
    wrong(r, "it is no object of keys and values");
  } else if (dim == NULL) {
    wrong(r, "the key \"dim\" is missing");
  } else if (!cJSON_IsNumber(dim)) {
    wrong(r, "\"dim\" is no number");
  } else if (!size_is_good(dim->valuedouble)) {
    wrong(r, "\"dim\" is %.15g; it is a power of two from 4 to 1024", dim->valuedouble);
  }
  if (r->status != SYSTOLE_OK) return;
  out->geometry = systole_model_geometry(dim->valueint);
  if (memory != NULL) read_memory(r, out, memory);
  cJSON_ArrayForEach(item, object) {
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(object, item->string);
    if (first != item) wrong(r, "the key \"%.40s\" is there twice", item->string);
    if (r->status == SYSTOLE_OK) read_key(r, out, item);
  }
}

static systole_status read_text(reader *r, systole_preset *out, const char *json) {
  const char *end = NULL;
  cJSON *object = cJSON_ParseWithOpts(json, &end, 1);
  if (object == NULL) {
    int line = 1;
    for (const char *c = json; end != NULL && c < end; c++) line += *c == '\n';
    wrong(r, "it is no JSON; what is wrong stands at line %d", line);
  } else {
    read_object(r, out, object);
  }
  cJSON_Delete(object);
  return r->status;
}

/* ---- where it comes from ------------------------------------------------------------
 */

static systole_status read_file(reader *r, systole_preset *out, const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "the preset %s cannot be read: %s; docs/model.md says how to write "
        "one",
        path, strerror(errno));
  }
  char *json = malloc(MaxFile + 1);
  systole_status status = SYSTOLE_OK;
  if (json == NULL) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for %s", path);
  } else {
    const size_t got = fread(json, 1, MaxFile + 1, file);
    if (ferror(file)) {
      status = systole_fail(SYSTOLE_ERR_ARGUMENT, "the preset %s cannot be read: %s",
                            path, strerror(errno));
    } else if (got > MaxFile) {
      status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                            "%s has more than %d bytes; a preset is a page of text", path,
                            (int)MaxFile);
    } else if (memchr(json, '\0', got) != NULL) {
      status = systole_fail(SYSTOLE_ERR_ARGUMENT, "%s is no text", path);
    } else {
      json[got] = '\0';
      status = read_text(r, out, json);
    }
  }
  free(json);
  fclose(file);
  return status;
}

static systole_status no_such(const reader *r, const char *name) {
  char known[256] = "";
  for (size_t i = 0; i < Presets; i++) {
    const size_t used = strlen(known);
    (void)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                   presets[i].name);
  }
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT,
      "there is no device %s:%.80s; behind the colon stands an array size, "
      "a power of two from 4 to 1024, a preset (%s) or a file that ends in "
      ".json, and after it, if wanted, %s",
      r->scheme, name, known,
      ",ub=ROWS ,acc=ROWS ,tiles=COUNT ,axi=BYTES ,clock=MHZ ,memory=NAME "
      ",gmem0=GB/S ,gmem1=GB/S ,latency0=CYCLES ,latency1=CYCLES ,data=0 ,skip=0");
}

static systole_status read_base(reader *r, systole_preset *out, const char *name) {
  const size_t length = strlen(name);
  char *end = NULL;
  if (length > 5 && strcmp(name + length - 5, ".json") == 0) {
    r->source = name;
    return read_file(r, out, name);
  }
  if (*name >= '0' && *name <= '9') {
    const unsigned long dim = strtoul(name, &end, 10);
    if (*end != '\0' || dim > 1024 || !size_is_good((double)dim) || *name == '0') {
      return no_such(r, name);
    }
    out->geometry = systole_model_geometry((int)dim);
    return SYSTOLE_OK;
  }
  for (size_t i = 0; i < Presets; i++) {
    if (strcmp(presets[i].name, name) != 0) continue;
    r->source = presets[i].name;
    return read_text(r, out, presets[i].text);
  }
  return no_such(r, name);
}

/* ---- changes ------------------------------------------------------------------------
 */

static int read_count(uint32_t *out, const char *value) {
  char *end = NULL;
  if (*value < '0' || *value > '9') return 0;
  errno = 0;
  const unsigned long count = strtoul(value, &end, 10);
  *out = (uint32_t)count;
  return *end == '\0' && errno == 0 && count <= UINT32_MAX;
}

/* MHz; 940M is 940, 1.2G is 1200. */
static int read_clock(double *out, const char *value) {
  static const struct {
    const char *unit;
    double mhz;
  } units[] = {{"", 1},       {"k", 1e-3}, {"M", 1},    {"G", 1e3},
               {"kHz", 1e-3}, {"MHz", 1},  {"GHz", 1e3}};
  char *end = NULL;
  if ((*value < '0' || *value > '9') && *value != '.') return 0;
  *out = strtod(value, &end);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (strcmp(units[i].unit, end) != 0) continue;
    *out *= units[i].mhz;
    return isfinite(*out) && *out >= 0.001 && *out <= 2000;
  }
  return 0;
}

/* "key=value". */
static systole_status change(reader *r, systole_preset *out, char *setting) {
  systole_geometry *g = &out->geometry;
  uint32_t count = 0;
  char *value = strchr(setting, '=');
  if (value == NULL) return no_such(r, setting);
  *value++ = '\0';
  int good = 1;
  if (strcmp(setting, "ub") == 0) {
    good = read_count(&g->ub_rows, value);
  } else if (strcmp(setting, "acc") == 0) {
    good = read_count(&g->acc_rows, value);
  } else if (strcmp(setting, "tiles") == 0) {
    good = read_count(&g->weight_tiles, value);
  } else if (strcmp(setting, "axi") == 0) {
    good = read_count(&count, value) && count <= 4096;
    g->axi_bytes = (int)count;
  } else if (strcmp(setting, "data") == 0) {
    good = read_count(&count, value) && count <= 1;
    out->timing_only = count == 0;
  } else if (strcmp(setting, "skip") == 0) {
    good = read_count(&count, value) && count <= 1;
    out->every_event = count == 0;
  } else if (strcmp(setting, "clock") == 0) {
    out->clock_kind = SYSTOLE_KIND_ASSUMED;
    if (!read_clock(&out->clock_mhz, value)) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "clock=%.40s is no clock; give MHz, 0.001 to 2000, e.g. 940, "
                          "940M or 1.2G",
                          value);
    }
  } else if (strcmp(setting, "memory") == 0) {
    if (strlen(value) >= sizeof out->memory) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT, "memory=%.40s... is too long", value);
    }
    (void)snprintf(out->memory, sizeof out->memory, "%s", value);
  } else if (strcmp(setting, "gmem0") == 0 || strcmp(setting, "gmem1") == 0 ||
             strcmp(setting, "latency0") == 0 || strcmp(setting, "latency1") == 0) {
    append_memory(r, out, "+%s=%s", setting, value);
    if (r->status != SYSTOLE_OK) return r->status;
  } else {
    return no_such(r, setting);
  }
  if (good) return SYSTOLE_OK;
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT, "%s=%.40s of the device %s:... makes no sense; %s is %s",
      setting, value, r->scheme, setting,
      strcmp(setting, "data") == 0 || strcmp(setting, "skip") == 0 ? "0 or 1"
                                                                   : "a whole number");
}

/* Where the changes begin: the first comma, or, for a file, the one behind ".json". */
static size_t base_length(const char *what) {
  for (const char *at = what; (at = strstr(at, ".json")) != NULL; at++) {
    if (at[5] == ',' || at[5] == '\0') return (size_t)(at + 5 - what);
  }
  return strcspn(what, ",");
}

systole_status systole_preset_read(systole_preset *out, const char *scheme,
                                   const char *what) {
  memset(out, 0, sizeof *out);
  (void)snprintf(out->memory, sizeof out->memory, "ideal");
  reader r = {scheme, what, SYSTOLE_OK};
  const size_t length = strlen(what), base = base_length(what);
  char *copy = malloc(length + 1);
  if (copy == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  memcpy(copy, what, length + 1);
  copy[base] = '\0';
  systole_status status = read_base(&r, out, copy);
  for (char *cursor = what[base] == ',' ? copy + base + 1 : NULL;
       cursor != NULL && status == SYSTOLE_OK;) {
    char *next = strchr(cursor, ',');
    if (next != NULL) *next++ = '\0';
    status = change(&r, out, cursor);
    cursor = next;
  }
  if (status == SYSTOLE_OK) {
    systole_memory_timing timing;
    status = systole_memory_timing_of(&timing, out->memory, 64, out->clock_mhz);
  }
  free(copy);
  return status;
}

int systole_preset_at(size_t index, const char **name, char *about, size_t about_bytes) {
  if (index >= Presets) return 0;
  cJSON *object = cJSON_Parse(presets[index].text);
  const char *line =
      cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "about"));
  *name = presets[index].name;
  (void)snprintf(about, about_bytes, "%s", line != NULL ? line : "");
  cJSON_Delete(object);
  return 1;
}

void systole_preset_options(systole_model_options *out, const systole_preset *preset,
                            const systole_device_options *options) {
  memset(out, 0, sizeof *out);
  out->geometry = preset->geometry;
  out->memory = preset->memory;
  out->clock_mhz = preset->clock_mhz;
  out->clock_kind = preset->clock_kind;
  out->memory_bytes = preset->memory_bytes;
  out->timing_only = preset->timing_only;
  out->every_event = preset->every_event;
  if (options == NULL) return;
  if (options->memory != NULL) out->memory = options->memory;
  if (options->memory_bytes > 0) out->memory_bytes = options->memory_bytes;
  if (options->timing_only) out->timing_only = 1;
  /* NaN and negative clocks go on, to be refused where all clocks are. */
  if (!(options->clock_mhz >= 0 && options->clock_mhz <= 0)) {
    out->clock_mhz = options->clock_mhz;
    out->clock_kind = SYSTOLE_KIND_ASSUMED;
  }
}
