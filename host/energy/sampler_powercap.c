/* RAPL through the powercap files of Linux (Documentation/power/powercap): microjoules of
 * each CPU package, and of its memory where the CPU reports that. AMD's counters appear
 * there too. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "sampler.h"

enum { MaxZones = 64, NameBytes = 32 };

typedef struct zone {
  char path[SYSTOLE_PATH_BYTES]; /* of energy_uj */
  char name[NameBytes];
  uint64_t range_uj; /* where the counter starts again; 0: not known */
  uint64_t last_uj;
} zone;

struct systole_sampler {
  zone zones[MaxZones];
  int count;
  double sum_uj;
  int broken; /* a read failed, or a counter went back without a known range */
  char source[256];
};

/* Top-level zones are packages (or the whole platform, which would count them twice);
 * sub-zones named "dram" are memory. The memory-mapped twins of a package
 * (intel-rapl-mmio:*) are the same joules again. */
static int wanted(const char *folder, const char *name) {
  if (strncmp(folder, "intel-rapl:", 11) != 0) return 0;
  const int is_sub_zone = strchr(folder + 11, ':') != NULL;
  return is_sub_zone ? strcmp(name, "dram") == 0 : strncmp(name, "package", 7) == 0;
}

/* base/folder/file; 0 if it does not fit. */
static int zone_path(char out[SYSTOLE_PATH_BYTES], const char *base, const char *folder,
                     const char *file) {
  const int length = snprintf(out, SYSTOLE_PATH_BYTES, "%s/%s/%s", base, folder, file);
  return length >= 0 && length < SYSTOLE_PATH_BYTES;
}

static void add_zone(systole_sampler *sampler, const char *base, const char *folder,
                     systole_sampler_reason *reason) {
  char path[SYSTOLE_PATH_BYTES];
  zone *z = &sampler->zones[sampler->count];
  memset(z, 0, sizeof *z);
  if (!zone_path(path, base, folder, "name") ||
      !systole_read_line(path, z->name, sizeof z->name) || !wanted(folder, z->name)) {
    return;
  }
  if (!zone_path(path, base, folder, "max_energy_range_uj") ||
      !zone_path(z->path, base, folder, "energy_uj")) {
    return;
  }
  (void)systole_read_u64(path, &z->range_uj);
  if (systole_read_u64(z->path, &z->last_uj)) {
    sampler->count++;
    return;
  }
  systole_sampler_say(reason, 1,
                      "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
                      "powercap: %s cannot be read (%s)", z->path, strerror(errno));
}

static int by_path(const void *x, const void *y) {
  return strcmp(((const zone *)x)->path, ((const zone *)y)->path);
}

static void read_all(systole_sampler *sampler) {
  for (int i = 0; i < sampler->count; i++) {
    zone *z = &sampler->zones[i];
    uint64_t now = 0;
    if (!systole_read_u64(z->path, &now)) {
      sampler->broken = 1;
      continue;
    }
    if (now >= z->last_uj) {
      sampler->sum_uj += (double)(now - z->last_uj);
    } else if (z->range_uj >= z->last_uj) {
      sampler->sum_uj += (double)(z->range_uj - z->last_uj) + (double)now;
    } else {
      sampler->broken = 1;
    }
    z->last_uj = now;
  }
}

static void close_powercap(systole_sampler *sampler) { free(sampler); }

static void begin(systole_sampler *sampler) {
  /* What was before does not matter: a counter may have begun anew since. */
  for (int i = 0; i < sampler->count; i++) sampler->zones[i].last_uj = 0;
  sampler->broken = 0;
  read_all(sampler);
  sampler->sum_uj = 0;
}

static int moves(systole_sampler *sampler, int still_ms) {
  if (still_ms < 0) return 1;
  const int limit = still_ms > 0 ? still_ms : 50;
  begin(sampler);
  for (int ms = 0; ms < limit; ms++) {
    systole_sampler_sleep_ms(1);
    read_all(sampler);
    if (sampler->sum_uj > 0) return 1;
  }
  return 0;
}

static void open_powercap(systole_sampler **out, const char *root,
                          const systole_energy_meter_options *options,
                          systole_sampler_reason *reason) {
  *out = NULL;
  systole_sampler *sampler = NULL;
  DIR *folder = NULL;
  char base[SYSTOLE_PATH_BYTES];
  if (!systole_path(base, root, "/sys/class/powercap")) {
    systole_sampler_say(reason, 0, "", "powercap: the path of its folder is too long");
    goto done;
  }
  folder = opendir(base);
  if (folder == NULL) {
    systole_sampler_say(reason, 0, "", "powercap: %s is not there (%s)", base,
                        strerror(errno));
    goto done;
  }
  sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL) {
    systole_sampler_say(reason, 0, "", "powercap: no memory is left");
    goto done;
  }
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (entry->d_name[0] != '.' && sampler->count < MaxZones) {
      add_zone(sampler, base, entry->d_name, reason);
    }
  }
  /* The order of a folder's entries is the file system's. */
  qsort(sampler->zones, (size_t)sampler->count, sizeof sampler->zones[0], by_path);
  int packages = 0;
  size_t used = (size_t)snprintf(sampler->source, sizeof sampler->source, "powercap:");
  for (int i = 0; i < sampler->count; i++) {
    packages += strncmp(sampler->zones[i].name, "package", 7) == 0;
    if (used + NameBytes < sizeof sampler->source) {
      used += (size_t)snprintf(sampler->source + used, sizeof sampler->source - used,
                               " %s", sampler->zones[i].name);
    }
  }
  if (packages == 0) {
    if (reason->why[0] == '\0') {
      systole_sampler_say(reason, 0, "", "powercap: %s has no package of this CPU", base);
    }
    goto done;
  }
  /* One package of two would be a figure of something else. */
  if (reason->why[0] != '\0') goto done;
  if (!moves(sampler, options->still_ms)) {
    systole_sampler_say(reason, 1, "", "powercap: the counters in %s stand still", base);
    goto done;
  }
  *out = sampler;
  sampler = NULL;
done:
  close_powercap(sampler);
  if (folder != NULL) closedir(folder);
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  read_all(sampler);
  const double joules = sampler->broken ? 0 : sampler->sum_uj * 1e-6;
  *energy_j = systole_sampler_measured(joules, span, SYSTOLE_SAMPLER_STEP_S);
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return SYSTOLE_SAMPLER_STEP_S;
}

const systole_sampler_ops systole_sampler_powercap = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "powercap",
    .of = 1u << SYSTOLE_ENERGY_OF_CPU,
    .open = open_powercap,
    .close = close_powercap,
    .begin = begin,
    .poll = read_all,
    .end = end,
    .source = source,
    .step_s = step_s,
};
