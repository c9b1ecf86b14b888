#define _POSIX_C_SOURCE 200809L
#include "hwmon.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HWMON "/sys/class/hwmon"

enum { MaxChips = 64, TextBytes = 64, Nobody = -1 };

/* What is far above is no reading. */
static const double most_watts = 10000;

/* Whose sensors a driver's are, by the start of the chip's name. Others (disks, fans,
 * power supplies) are of no interest unless one is chosen by name. Chips of the ina2xx
 * family measure one rail, which is the board maker's choice: they speak for nothing by
 * themselves. `step_s`: where the driver or the chip averages or caches; estimates. */
static const struct driver {
  const char *name;
  int of;
  double step_s;
  const char *label; /* only channels whose label begins so; "": the first */
} drivers[] = {
    {"amd_energy", SYSTOLE_ENERGY_OF_CPU, 0.001, "Esocket"},
    {"fam15h_power", SYSTOLE_ENERGY_OF_CPU, 0.1, ""},
    {"zenpower", SYSTOLE_ENERGY_OF_CPU, 0.1, "SVI2_P_"},
    {"amdgpu", SYSTOLE_ENERGY_OF_GPU, 0.1, ""},
    {"i915", SYSTOLE_ENERGY_OF_GPU, 0.1, ""},
    {"xe", SYSTOLE_ENERGY_OF_GPU, 0.1, ""},
    {"nouveau", SYSTOLE_ENERGY_OF_GPU, 0.1, ""},
    {"power_meter", SYSTOLE_ENERGY_OF_MACHINE, 1, ""}, /* ACPI 4.0 */
    {"ina", Nobody, 0.1, ""},
    {"", Nobody, 1, ""}, /* any other */
};

typedef struct chip {
  char folder[SYSTOLE_PATH_BYTES];
  char entry[TextBytes]; /* "hwmon3" */
  char name[TextBytes];
  char address[16]; /* of its PCIe function; "" when it has none */
  const struct driver *driver;
} chip;

static int in(char out[SYSTOLE_PATH_BYTES], const char *folder, const char *file) {
  const int length = snprintf(out, SYSTOLE_PATH_BYTES, "%s/%s", folder, file);
  return length > 0 && length < SYSTOLE_PATH_BYTES;
}

static int starts(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

/* ---- chips ------------------------------------------------------------------------ */

static const struct driver *driver_of(const char *name) {
  size_t i = 0;
  while (!starts(name, drivers[i].name)) i++;
  return &drivers[i];
}

static void read_address(chip *c) {
  char path[SYSTOLE_PATH_BYTES], target[SYSTOLE_PATH_BYTES];
  c->address[0] = '\0';
  if (!in(path, c->folder, "device")) return;
  const ssize_t length = readlink(path, target, sizeof target - 1);
  if (length <= 0) return;
  target[length] = '\0';
  const char *last = strrchr(target, '/');
  if (!systole_pci_address(c->address, last != NULL ? last + 1 : target)) {
    c->address[0] = '\0';
  }
}

/* hwmon2 before hwmon10. */
static int by_entry(const void *x, const void *y) {
  const chip *a = x, *b = y;
  const size_t m = strlen(a->entry), n = strlen(b->entry);
  return m != n ? (m > n) - (m < n) : strcmp(a->entry, b->entry);
}

static int list_chips(chip *chips, const char *base) {
  int count = 0;
  DIR *list = opendir(base);
  if (list == NULL) return -1;
  for (struct dirent *e = readdir(list); e != NULL && count < MaxChips;
       e = readdir(list)) {
    chip *c = &chips[count];
    char path[SYSTOLE_PATH_BYTES];
    if (!starts(e->d_name, "hwmon") || strlen(e->d_name) >= sizeof c->entry ||
        !in(c->folder, base, e->d_name) || !in(path, c->folder, "name") ||
        !systole_read_line(path, c->name, sizeof c->name)) {
      continue;
    }
    (void)snprintf(c->entry, sizeof c->entry, "%s", e->d_name);
    c->driver = driver_of(c->name);
    read_address(c);
    count++;
  }
  closedir(list);
  qsort(chips, (size_t)count, sizeof chips[0], by_entry);
  return count;
}

/* ---- channels --------------------------------------------------------------------- */

static void read_label(char label[TextBytes], const char *folder, const char *kind,
                       int index) {
  char file[TextBytes], path[SYSTOLE_PATH_BYTES];
  label[0] = '\0';
  (void)snprintf(file, sizeof file, "%s%d_label", kind, index);
  if (in(path, folder, file)) (void)systole_read_line(path, label, TextBytes);
}

typedef struct search {
  systole_hwmon *out;
  const chip *of;
  const char *rail;                /* the label that is asked for; NULL: none */
  char labels[160];                /* of what was found and not taken */
  char denied[SYSTOLE_PATH_BYTES]; /* what may not be read; "" when all may */
  int error;                       /* why */
} search;

static int exists(const char *path) { return access(path, F_OK) == 0; }

/* Adds the channel, if its label is wanted and it can be read. */
static void add(search *s, const char *kind, int index, const char *suffix) {
  char file[TextBytes], label[TextBytes];
  double value = 0;
  systole_hwmon *out = s->out;
  if (out->count == SYSTOLE_HWMON_CHANNELS) return;
  systole_hwmon_channel *channel = &out->channels[out->count];
  const int volts = strcmp(kind, "in") == 0;
  memset(channel, 0, sizeof *channel);
  (void)snprintf(file, sizeof file, "%s%d_%s", kind, index, suffix);
  if (!in(channel->path, s->of->folder, file) || !exists(channel->path)) return;
  if (volts) {
    (void)snprintf(file, sizeof file, "curr%d_input", index);
    if (!in(channel->current, s->of->folder, file) || !exists(channel->current)) return;
  }
  read_label(label, s->of->folder, kind, index);
  const int wanted = s->rail != NULL ? strcmp(label, s->rail) == 0
                     : s->of->driver->label[0] != '\0'
                         ? starts(label, s->of->driver->label)
                         : volts || out->count == 0;
  if (label[0] != '\0') {
    const size_t used = strlen(s->labels);
    (void)snprintf(s->labels + used, sizeof s->labels - used, "%s%s",
                   used > 0 ? ", " : "", label);
  }
  if (!wanted) return;
  if (!systole_read_number(channel->path, &value) ||
      (volts && !systole_read_number(channel->current, &value))) {
    if (errno == EACCES || errno == EPERM || s->denied[0] == '\0') {
      s->error = errno;
      memcpy(s->denied, channel->path, sizeof s->denied);
    }
    return;
  }
  const size_t used = strlen(out->source);
  (void)snprintf(out->source + used, sizeof out->source - used, " %s%d%s%s", kind, index,
                 label[0] != '\0' ? " " : "", label);
  out->count++;
}

static int find_channels(search *s) {
  static const struct {
    const char *kind, *suffix;
    int most;
  } forms[] = {{"energy", "input", 1024},
               {"power", "input", 16},
               {"power", "average", 16},
               {"in", "input", 16}};
  const int before = s->out->count;
  for (size_t f = 0; f < sizeof forms / sizeof forms[0] && s->out->count == before; f++) {
    if (before > 0 && s->out->counts_energy != (f == 0)) continue;
    for (int i = 0; i <= forms[f].most; i++) {
      add(s, forms[f].kind, i, forms[f].suffix);
      if (s->out->count > before && s->rail == NULL && f > 0 && f < 3 &&
          s->of->driver->label[0] == '\0') {
        break; /* the first is the chip's own sum; others are parts of it */
      }
    }
    if (s->out->count > before) s->out->counts_energy = f == 0;
  }
  return s->out->count - before;
}

static void name_source(systole_hwmon *out, const chip *c) {
  const size_t used = strlen(out->source);
  (void)snprintf(out->source + used, sizeof out->source - used, "%s %s%s%s",
                 used > 0 ? " +" : "hwmon:", c->name, c->address[0] != '\0' ? " " : "",
                 c->address);
  out->step_s = c->driver->step_s;
}

static int is_chosen(const chip *c, systole_energy_of of, const char *address,
                     const char *choice) {
  if (choice[0] != '\0') {
    const size_t length = strcspn(choice, "/");
    return (strlen(c->name) == length && strncmp(c->name, choice, length) == 0) ||
           (strlen(c->entry) == length && strncmp(c->entry, choice, length) == 0);
  }
  if (c->driver->of != (int)of) return 0;
  return address[0] == '\0' || strcmp(c->address, address) == 0;
}

static int take(systole_hwmon *out, const chip *chips, int count, systole_energy_of of,
                const char *address, const char *choice, systole_sampler_reason *reason) {
  search s = {.out = out};
  int taken = 0;
  const char *slash = strchr(choice, '/');
  s.rail = slash != NULL ? slash + 1 : NULL;
  for (int i = 0; i < count; i++) {
    const chip *c = &chips[i];
    char source[sizeof out->source];
    if (!is_chosen(c, of, address, choice)) continue;
    /* A CPU has one chip a socket; of GPUs and chosen chips there may be one. */
    if (taken > 0 && (of == SYSTOLE_ENERGY_OF_GPU || choice[0] != '\0')) {
      systole_sampler_say(reason, 1, "name one",
                          "hwmon: there are several, %s among them (%s)", c->entry,
                          c->name);
      return 0;
    }
    if (taken > 0 && strcmp(chips[i].driver->name, s.of->driver->name) != 0) continue;
    memcpy(source, out->source, sizeof source);
    name_source(out, c);
    s.of = c;
    if (find_channels(&s) == 0) {
      memcpy(out->source, source, sizeof source);
      continue;
    }
    double cap = 0;
    char path[SYSTOLE_PATH_BYTES];
    if (in(path, c->folder, "power1_cap") && systole_read_number(path, &cap) && cap > 0)
      out->limit_w = 1e-6 * cap;
    taken++;
  }
  if (taken == 0 && s.denied[0] != '\0') {
    systole_sampler_say(
        reason, 1,
        "sudo chmod a+r " HWMON "/hwmon*/energy*_input " HWMON "/hwmon*/power*_input",
        "hwmon: %s cannot be read as a number (%s)", s.denied, strerror(s.error));
  } else if (taken == 0 && s.of != NULL) {
    systole_sampler_say(reason, 1, "", "hwmon: %s has no such sensor%s%s", s.of->name,
                        s.labels[0] != '\0' ? "; it has " : "", s.labels);
  } else if (taken == 1 && out->count > 1 && out->channels[0].current[0] != '\0') {
    systole_sampler_say(reason, 1, "name one, as hwmon:CHIP/RAIL",
                        "hwmon: %s has several rails: %s", s.of->name, s.labels);
    return 0;
  }
  return taken > 0;
}

int systole_hwmon_find(systole_hwmon *out, const char *root, systole_energy_of of,
                       const char *address, const char *choice,
                       systole_sampler_reason *reason) {
  static const char *const whose[] = {"the CPU", "a GPU", "a card", "the whole machine"};
  char base[SYSTOLE_PATH_BYTES], pci[16] = "";
  int count = -1, found = 0;
  memset(out, 0, sizeof *out);
  chip *chips = calloc(MaxChips, sizeof *chips);
  if (chips == NULL || !systole_path(base, root, HWMON)) {
    systole_sampler_say(reason, 0, "",
                        "hwmon: no memory is left, or its path is too long");
    goto done;
  }
  count = list_chips(chips, base);
  if (count < 0) {
    systole_sampler_say(reason, 0, "", "hwmon: %s is not there (%s)", base,
                        strerror(errno));
    goto done;
  }
  if (address != NULL && address[0] != '\0' && !systole_pci_address(pci, address)) {
    systole_sampler_say(reason, 0, "", "hwmon: '%.64s' is no PCIe address", address);
    goto done;
  }
  found = take(out, chips, count, of, pci, choice, reason);
  if (!found && reason->why[0] == '\0') {
    systole_sampler_say(reason, 0, "", "hwmon: none of the %d chips in %s %s%s", count,
                        base, choice[0] != '\0' ? "is " : "measures ",
                        choice[0] != '\0' ? choice : whose[of]);
  }
done:
  if (!found) memset(out, 0, sizeof *out);
  free(chips);
  return found;
}

/* ---- readings --------------------------------------------------------------------- */

int systole_hwmon_watts(const systole_hwmon *hwmon, double *watts) {
  *watts = 0;
  for (int i = 0; i < hwmon->count; i++) {
    const systole_hwmon_channel *c = &hwmon->channels[i];
    double value = 0, current = 1;
    if (!systole_read_number(c->path, &value)) return 0;
    if (c->current[0] != '\0' && !systole_read_number(c->current, &current)) return 0;
    if (value < 0 || current < 0) return 0;
    *watts += 1e-6 * value * current; /* mV times mA are uW, too */
  }
  return *watts > 0 && *watts < most_watts;
}

int systole_hwmon_joules(systole_hwmon *hwmon, double *joules) {
  int good = 1;
  *joules = 0;
  for (int i = 0; i < hwmon->count; i++) {
    systole_hwmon_channel *c = &hwmon->channels[i];
    double now = 0;
    if (!systole_read_number(c->path, &now) || now < c->last_uj) {
      good = 0; /* 64 bits of microjoules do not wrap in a lifetime */
      continue;
    }
    *joules += 1e-6 * (now - c->last_uj);
    c->last_uj = now;
  }
  return good;
}
