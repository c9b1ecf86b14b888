/* Where nothing can be read: TDP x cores used / cores of the socket x utilisation, from
 * data/cpu_power.csv. Cores used x utilisation x time is the CPU time of the process, so
 *   E = (TDP / cores of the socket) x CPU seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "sampler.h"
#include "systole_energy_tables.h"

enum { FieldBytes = 128 };

typedef struct cpu_row {
  const char *vendor, *family, *name;
  double low, nominal, high; /* W of a busy core */
  const char *kind, *source;
} cpu_row;

static const cpu_row rows[] = {
#define ROW(vendor, family, name, low, nominal, high, kind, source) \
  {vendor, family, name, low, nominal, high, kind, source},
    SYSTOLE_ENERGY_CPUS(ROW)
#undef ROW
};

struct systole_sampler {
  const cpu_row *row;
  int threads;
  char source[320];
};

/* What follows "key<tab>: " in the first lines of /proc/cpuinfo. */
static void read_field(FILE *file, const char *key, char out[FieldBytes]) {
  char line[512];
  out[0] = '\0';
  rewind(file);
  while (fgets(line, sizeof line, file) != NULL) {
    char *colon = strchr(line, ':');
    if (colon == NULL) {
      if (line[0] == '\n') return; /* the first CPU is enough */
      continue;
    }
    char *end = colon;
    while (end > line && (end[-1] == '\t' || end[-1] == ' ')) end--;
    if ((size_t)(end - line) != strlen(key) || strncmp(line, key, strlen(key)) != 0)
      continue;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    value[strcspn(value, "\n")] = '\0';
    (void)snprintf(out, FieldBytes, "%.*s", FieldBytes - 1, value);
    return;
  }
}

static int any(const char *pattern) { return strcmp(pattern, "*") == 0; }

static int matches(const cpu_row *row, const char *vendor, const char *family,
                   const char *name) {
  return (any(row->vendor) || strcmp(row->vendor, vendor) == 0) &&
         (any(row->family) || strcmp(row->family, family) == 0) &&
         (any(row->name) || strstr(name, row->name) != NULL);
}

static void open_model(systole_sampler **out, const char *root,
                       const systole_energy_meter_options *options,
                       systole_sampler_reason *reason) {
  *out = calloc(1, sizeof **out);
  if (*out == NULL) {
    systole_sampler_say(reason, 0, "", "model: no memory is left");
    return;
  }
  char vendor[FieldBytes] = "";
  char family[FieldBytes] = "";
  char name[FieldBytes] = "";
  char path[SYSTOLE_PATH_BYTES];
  FILE *file = systole_path(path, root, "/proc/cpuinfo") ? fopen(path, "r") : NULL;
  if (file != NULL) {
    read_field(file, "vendor_id", vendor);
    read_field(file, "cpu family", family);
    read_field(file, "model name", name);
    fclose(file);
  }
  /* The last row matches everything. */
  size_t i = 0;
  while (i + 1 < sizeof rows / sizeof rows[0] && !matches(&rows[i], vendor, family, name))
    i++;
  (*out)->row = &rows[i];
  (*out)->threads = options->threads > 0 ? options->threads : 1;
  (void)snprintf((*out)->source, sizeof(*out)->source,
                 "model: %g W (%g to %g) a core, %s: %s", rows[i].nominal, rows[i].low,
                 rows[i].high, rows[i].kind, rows[i].source);
}

static void close_model(systole_sampler *sampler) { free(sampler); }

static void begin(systole_sampler *sampler) { (void)sampler; }

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  const cpu_row *row = sampler->row;
  /* The clock of CPU time may be coarser than that of the wall. */
  const double most = span->wall_s * sampler->threads;
  const double busy = span->cpu_s < most ? span->cpu_s : most;
  energy_j->kind = span->wall_s > 0 ? SYSTOLE_KIND_MODELLED : SYSTOLE_KIND_UNKNOWN;
  energy_j->low = row->low * busy;
  energy_j->nominal = row->nominal * busy;
  energy_j->high = row->high * busy;
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return 0;
}

const systole_sampler_ops systole_sampler_model = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "model",
    .of = 1u << SYSTOLE_ENERGY_OF_CPU,
    .open = open_model,
    .close = close_model,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
