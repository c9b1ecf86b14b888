/* The sampler row of a laptop on its battery: what leaves the battery is what the whole
 * machine takes, screen included. On mains it says nothing. Linux,
 * Documentation/ABI/testing/sysfs-class-power: power_now in uW, current_now in uA,
 * voltage_now in uV. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "integrator.h"
#include "sampler.h"

#define SUPPLIES "/sys/class/power_supply"

/* Fuel gauges tell a new value every one to several seconds, of a mean over some: a step
 * of three seconds is an estimate. */
#define STEP_S 3.0
enum { MaxBatteries = 4, PeriodMs = 1000, NameBytes = 64 };

typedef struct battery {
  char folder[SYSTOLE_PATH_BYTES];
  char name[NameBytes];
} battery;

struct systole_sampler {
  battery batteries[MaxBatteries];
  int count;
  systole_integrator *power;
  int begun;
  char source[320];
};

static int in(char out[SYSTOLE_PATH_BYTES], const char *folder, const char *file) {
  const int length = snprintf(out, SYSTOLE_PATH_BYTES, "%s/%s", folder, file);
  return length > 0 && length < SYSTOLE_PATH_BYTES;
}

static int is(const char *folder, const char *file, const char *word) {
  char path[SYSTOLE_PATH_BYTES], line[64];
  return in(path, folder, file) && systole_read_line(path, line, sizeof line) &&
         strcmp(line, word) == 0;
}

static int number(const char *folder, const char *file, double *out) {
  char path[SYSTOLE_PATH_BYTES];
  *out = 0;
  return in(path, folder, file) && systole_read_number(path, out);
}

/* Watts that leave one battery; 0 when it cannot say. Some drivers give a discharging
 * current a minus sign. */
static int watts_of(const battery *b, double *watts) {
  double power = 0, current = 0, voltage = 0;
  *watts = 0;
  if (number(b->folder, "power_now", &power)) {
    *watts = 1e-6 * fabs(power);
  } else if (number(b->folder, "current_now", &current) &&
             number(b->folder, "voltage_now", &voltage) && voltage > 0) {
    *watts = 1e-12 * fabs(current) * voltage;
  }
  return *watts > 0 && *watts < 1000;
}

/* Of two batteries one may rest while the other works; one that is being charged says
 * that the machine is on mains. */
static int look(void *user, double *watts) {
  const systole_sampler *sampler = user;
  int working = 0;
  *watts = 0;
  for (int i = 0; i < sampler->count; i++) {
    double one = 0;
    const battery *b = &sampler->batteries[i];
    if (is(b->folder, "status", "Charging")) return 0;
    if (!is(b->folder, "status", "Discharging")) continue;
    if (!watts_of(b, &one)) return 0;
    *watts += one;
    working++;
  }
  return working > 0;
}

static int by_name(const void *x, const void *y) {
  return strcmp(((const battery *)x)->name, ((const battery *)y)->name);
}

/* Batteries of the machine itself: those of a mouse have the scope "Device". */
static int find(systole_sampler *sampler, const char *base) {
  DIR *list = opendir(base);
  if (list == NULL) return 0;
  for (struct dirent *e = readdir(list); e != NULL && sampler->count < MaxBatteries;
       e = readdir(list)) {
    battery *b = &sampler->batteries[sampler->count];
    if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof b->name ||
        !in(b->folder, base, e->d_name) || !is(b->folder, "type", "Battery") ||
        is(b->folder, "scope", "Device") || is(b->folder, "present", "0")) {
      continue;
    }
    (void)snprintf(b->name, sizeof b->name, "%s", e->d_name);
    sampler->count++;
  }
  closedir(list);
  qsort(sampler->batteries, (size_t)sampler->count, sizeof sampler->batteries[0],
        by_name);
  return 1;
}

static void close_battery(systole_sampler *sampler) {
  if (sampler == NULL) return;
  systole_integrator_close(sampler->power);
  free(sampler);
}

static void open_battery(systole_sampler **out, const char *root,
                         const systole_energy_meter_options *options,
                         systole_sampler_reason *reason) {
  char base[SYSTOLE_PATH_BYTES];
  double watts = 0;
  (void)options;
  *out = NULL;
  systole_sampler *sampler = calloc(1, sizeof *sampler);
  if (sampler == NULL || !systole_path(base, root, SUPPLIES)) {
    systole_sampler_say(reason, 0, "",
                        "battery: no memory is left, or its path is too long");
    goto done;
  }
  if (!find(sampler, base)) {
    systole_sampler_say(reason, 0, "", "battery: %s is not there (%s)", base,
                        strerror(errno));
    goto done;
  }
  if (sampler->count == 0) {
    systole_sampler_say(reason, 0, "", "battery: %s has no battery", base);
    goto done;
  }
  if (!look(sampler, &watts)) {
    int discharging = 0;
    for (int i = 0; i < sampler->count; i++)
      discharging |= is(sampler->batteries[i].folder, "status", "Discharging");
    systole_sampler_say(reason, 1, discharging ? "" : "pull the mains plug",
                        discharging ? "battery: %s tells neither power_now nor "
                                      "current_now and voltage_now as numbers"
                                    : "battery: %s is not discharging",
                        sampler->batteries[0].name);
    goto done;
  }
  sampler->power = systole_integrator_open(look, sampler, PeriodMs);
  if (sampler->power == NULL) {
    systole_sampler_say(reason, 0, "", "battery: no memory is left");
    goto done;
  }
  size_t used = (size_t)snprintf(sampler->source, sizeof sampler->source, "battery:");
  for (int i = 0; i < sampler->count; i++) {
    used += (size_t)snprintf(sampler->source + used, sizeof sampler->source - used, " %s",
                             sampler->batteries[i].name);
  }
  (void)snprintf(sampler->source + used, sizeof sampler->source - used,
                 ", the whole machine");
  *out = sampler;
  sampler = NULL;
done:
  close_battery(sampler);
}

static void begin(systole_sampler *sampler) {
  sampler->begun = systole_integrator_begin(sampler->power);
}

static void end(systole_sampler *sampler, const systole_sampler_span *span,
                systole_bounds *energy_j) {
  systole_integral sum;
  systole_integrator_end(sampler->power, &sum);
  *energy_j = systole_sampler_measured(sampler->begun && sum.unread == 0 ? sum.joules : 0,
                                       span, STEP_S);
}

static const char *source(const systole_sampler *sampler) { return sampler->source; }

static double step_s(const systole_sampler *sampler) {
  (void)sampler;
  return STEP_S;
}

const systole_sampler_ops systole_sampler_battery = {
    .version = SYSTOLE_SAMPLER_VERSION,
    .name = "battery",
    .of = 1u << SYSTOLE_ENERGY_OF_CPU | 1u << SYSTOLE_ENERGY_OF_MACHINE,
    .open = open_battery,
    .close = close_battery,
    .begin = begin,
    .poll = NULL,
    .end = end,
    .source = source,
    .step_s = step_s,
};
