/* RAPL through the kernel's perf events power/energy-pkg/ and power/energy-ram/. The
 * power PMU can be present and have no events (virtual machines): the event's file
 * decides. */
#define _GNU_SOURCE /* syscall */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "sampler.h"

enum { MaxCounters = 64, TextBytes = 128 };

typedef struct counter {
  int fd;
  double joules_per_count;
  uint64_t last;
} counter;

struct systole_sampler {
  counter counters[MaxCounters];
  int count;
  double joules;
  int broken;
  char source[64];
};

static void close_perf(systole_sampler *sampler) {
  if (sampler == NULL) return;
  for (int i = 0; i < sampler->count; i++) close(sampler->counters[i].fd);
  free(sampler);
}

static void read_all(systole_sampler *sampler) {
  for (int i = 0; i < sampler->count; i++) {
    counter *c = &sampler->counters[i];
    uint64_t now = 0;
    if (read(c->fd, &now, sizeof now) != (ssize_t)sizeof now) {
      sampler->broken = 1;
      continue;
    }
    /* The kernel widens the CPU's 32 bits to 64, so this does not wrap. */
    sampler->joules += (double)(now - c->last) * c->joules_per_count;
    c->last = now;
  }
}

static void begin(systole_sampler *sampler) {
  sampler->broken = 0;
  read_all(sampler);
  sampler->joules = 0;
}

/* Reads <pmu>/<name> into text; 0 and a sentence if it cannot be read. */
static int read_text(const char *pmu, const char *name, char text[TextBytes],
                     systole_sampler_reason *reason) {
  char path[SYSTOLE_PATH_BYTES];
  const int length = snprintf(path, sizeof path, "%s/%s", pmu, name);
  if (length > 0 && length < (int)sizeof path &&
      systole_read_line(path, text, TextBytes)) {
    return 1;
  }
  systole_sampler_say(reason, 0, "", "perf: %s/%s cannot be read (%s)", pmu, name,
                      strerror(errno));
  return 0;
}

/* Opens `event` on one CPU of every package; 0 and a sentence on failure. */
static int open_event(systole_sampler *sampler, const char *pmu, const char *event,
                      systole_sampler_reason *reason) {
  char text[TextBytes];
  char name[TextBytes];
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;

  if (!read_text(pmu, "type", text, reason)) return 0;
  attr.type = (uint32_t)strtoul(text, NULL, 10);
  (void)snprintf(name, sizeof name, "events/%s", event);
  if (!read_text(pmu, name, text, reason)) return 0;
  if (strncmp(text, "event=", 6) != 0) {
    systole_sampler_say(reason, 1, "", "perf: %s/%s says '%s', which is not understood",
                        pmu, name, text);
    return 0;
  }
  attr.config = strtoull(text + 6, NULL, 0);
  (void)snprintf(name, sizeof name, "events/%s.scale", event);
  if (!read_text(pmu, name, text, reason)) return 0;
  const double scale = strtod(text, NULL);
  if (!(scale > 0)) {
    systole_sampler_say(reason, 1, "", "perf: %s/%s is '%s', not a scale", pmu, name,
                        text);
    return 0;
  }
  /* "0,24" or "0": one CPU per package. */
  if (!read_text(pmu, "cpumask", text, reason)) return 0;
  char *place = text;
  while (*place != '\0' && sampler->count < MaxCounters) {
    char *after = place;
    const long cpu = strtol(place, &after, 10);
    if (after == place) break;
    const long fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, 0UL);
    if (fd < 0) {
      systole_sampler_say(reason, 1, "sudo sysctl kernel.perf_event_paranoid=0",
                          "perf: the event power/%s/ cannot be opened (%s)", event,
                          strerror(errno));
      return 0;
    }
    sampler->counters[sampler->count++] = (counter){(int)fd, scale, 0};
    place = after + (*after == ',');
    if (*after != ',' && *after != '\0') break;
  }
  return 1;
}

static int moves(systole_sampler *sampler, int still_ms) {
  if (still_ms < 0) return 1;
  const int limit = still_ms > 0 ? still_ms : 50;
  begin(sampler);
  for (int ms = 0; ms < limit; ms++) {
    systole_sampler_sleep_ms(1);
    read_all(sampler);
    if (sampler->joules > 0) return 1;
  }
  return 0;
}

static void open_perf(systole_sampler **out, const char *root,
                      const systole_energy_meter_options *options,
                      systole_sampler_reason *reason) {
  *out = NULL;
  char pmu[SYSTOLE_PATH_BYTES];
  systole_sampler_reason ignored;
  systole_sampler *sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL ||
      !systole_path(pmu, root, "/sys/bus/event_source/devices/power")) {
    systole_sampler_say(reason, 0, "",
                        "perf: no memory is left, or its path is too long");
    goto done;
  }
  if (!open_event(sampler, pmu, "energy-pkg", reason)) goto done;
  if (sampler->count == 0) {
    systole_sampler_say(reason, 1, "", "perf: %s/cpumask names no CPU", pmu);
    goto done;
  }
  const int packages = sampler->count;
  (void)open_event(sampler, pmu, "energy-ram", &ignored);
  (void)snprintf(sampler->source, sizeof sampler->source, "perf: energy-pkg%s",
                 sampler->count > packages ? " energy-ram" : "");
  if (!moves(sampler, options->still_ms)) {
    systole_sampler_say(reason, 1, "",
                        "perf: the counter power/energy-pkg/ stands still");
    goto done;
  }
  *out = sampler;
  sampler = NULL;
done:
  close_perf(sampler);
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  read_all(sampler);
  *energy_j = systole_sampler_measured(sampler->broken ? 0 : sampler->joules, span,
                                       SYSTOLE_SAMPLER_STEP_S);
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return SYSTOLE_SAMPLER_STEP_S;
}

const systole_sampler_ops systole_sampler_perf = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "perf",
    .of = 1u << SYSTOLE_ENERGY_OF_CPU,
    .open = open_perf,
    .close = close_perf,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
