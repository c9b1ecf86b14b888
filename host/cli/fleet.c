#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"

static void describe(systole_report_device *out, const systole_station *station,
                     const systole_device_info *list, size_t count) {
  const char *name = systole_device_name(station->device);
  snprintf(out->name, sizeof out->name, "%s", name);
  out->geometry = station->geometry;
  out->peak_gops = station->peak_gops;
  out->peak_kind = station->peak_gops > 0 ? SYSTOLE_KIND_MEASURED : SYSTOLE_KIND_UNKNOWN;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i].name, name) != 0) continue;
    snprintf(out->kind, sizeof out->kind, "%s", list[i].kind);
    snprintf(out->about, sizeof out->about, "%s", list[i].about);
  }
  if (out->kind[0] == '\0') {
    snprintf(out->kind, sizeof out->kind, "%s",
             station->geometry.dim > 0 ? "accelerator" : "cpu");
  }
}

/* Devices that the list knows to be none; an xrt file, for one, is not in it. */
static int may_be_card(const char *name, const systole_device_info *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i].name, name) == 0) return strcmp(list[i].kind, "accelerator") == 0;
  }
  return strncmp(name, "cpu", 3) != 0;
}

static int add_device(systole_fleet *out, const char *name,
                      const systole_device_options *device_options,
                      const systole_device_info *list, size_t count) {
  for (size_t i = 0; i < out->count; i++) {
    if (strcmp(out->devices[i].name, name) == 0) return 0;
  }
  if (out->count == SystoleFleetDevices) {
    return systole_story(SYSTOLE_EXIT_USAGE, "more than %d devices at once",
                         (int)SystoleFleetDevices);
  }
  systole_device_options own = *device_options;
  if (!may_be_card(name, list, count)) own.record_path = NULL;
  for (size_t i = 0; own.record_path != NULL && i < out->count; i++) {
    if (out->stations[i].record_path == NULL) continue;
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--record takes one card, and there are %s and %s; choose one "
                         "with --devices, e.g. %s,cpu",
                         out->devices[i].name, name, name);
  }
  const int code = systole_station_open(&out->stations[out->count], name, &own);
  if (code != 0) return code;
  describe(&out->devices[out->count], &out->stations[out->count], list, count);
  out->count++;
  return 0;
}

/* "rtl:16:readable" beside "rtl:16": another way to the same figures, there to be asked
 * for. */
static int is_variant(const systole_device_info *list, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    const size_t length = strlen(list[i].name);
    if (list[i].usable && strncmp(name, list[i].name, length) == 0 &&
        name[length] == ':') {
      return 1;
    }
  }
  return 0;
}

/* N of a usable "rtl:N", else 0. */
static int simulated_dim(const systole_device_info *info) {
  int dim = 0, end = 0;
  if (!info->usable || sscanf(info->name, "rtl:%d%n", &dim, &end) != 1 ||
      info->name[end] != '\0') {
    return 0;
  }
  return dim;
}

/* "model:tpu-v1": a machine of one's choice, there to be asked for; "systemc:16": its
 * numbers are those of model:16. */
static int is_preset(const char *name) {
  return strncmp(name, "systemc:", 8) == 0 ||
         (strncmp(name, "model:", 6) == 0 && (name[6] < '0' || name[6] > '9'));
}

/* The two sizes that stand for all: those of the demo where they are built, else the
 * smallest and the largest. Returns how many there are. */
static int choose_sizes(int chosen[2], const systole_device_info *list, size_t count) {
  int sizes = 0, smallest = 0, largest = 0, has_16 = 0, has_64 = 0;
  for (size_t i = 0; i < count; i++) {
    const int dim = simulated_dim(&list[i]);
    if (dim == 0) continue;
    sizes++;
    if (smallest == 0 || dim < smallest) smallest = dim;
    if (dim > largest) largest = dim;
    has_16 |= dim == 16;
    has_64 |= dim == 64;
  }
  chosen[0] = has_16 ? 16 : smallest;
  chosen[1] = has_64 ? 64 : largest;
  return sizes;
}

/* Cuts the next name off. A part like "axi=32" belongs to the name before it:
 * "model:64,axi=32,cpu" are two devices. */
static char *next_name(char **cursor) {
  char *name = *cursor + strspn(*cursor, ", "), *end = name;
  for (;;) {
    end += strcspn(end, ", ");
    if (*end != ',') break;
    const char *part = end + 1;
    const size_t letters = strcspn(part, "=, :/");
    if (letters == 0 || part[letters] != '=') break;
    end++;
  }
  *cursor = *end != '\0' ? end + 1 : NULL;
  *end = '\0';
  return name;
}

int systole_fleet_open(systole_fleet *out, const char *names,
                       const systole_device_options *device_options) {
  systole_device_info *list = NULL;
  size_t count = 0;
  char *copy = NULL;
  int code =
      systole_story_of(systole_device_list(&list, &count), "cannot list the devices");
  if (code != 0) return code;
  if (names == NULL) {
    int chosen[2];
    const int sizes = choose_sizes(chosen, list, count);
    if (sizes > 2) {
      snprintf(out->note, sizeof out->note,
               "%d simulated array sizes are here; rtl:%d and rtl:%d are compared, "
               "--devices names others",
               sizes, chosen[0], chosen[1]);
    }
    /* Arrays first, then what they are set beside. */
    for (int cpus = 0; cpus <= 1; cpus++) {
      for (size_t i = 0; i < count && code == 0; i++) {
        if ((strcmp(list[i].kind, "cpu") == 0) != cpus) continue;
        const int dim = simulated_dim(&list[i]);
        if (sizes > 2 && dim != 0 && dim != chosen[0] && dim != chosen[1]) continue;
        /* Another format is another question; whoever asks it names it. */
        if (systole_device_name_format(list[i].name) != SYSTOLE_FORMAT_S8) continue;
        /* Its speed would be taken for a GPU's. */
        if (strcmp(list[i].kind, "functional") == 0) continue;
        if (list[i].usable && !is_preset(list[i].name) &&
            !is_variant(list, count, list[i].name)) {
          code = add_device(out, list[i].name, device_options, list, count);
        }
      }
    }
    if (code == 0 && out->count == 0) {
      code = systole_story(SYSTOLE_EXIT_ABSENT,
                           "no device is usable here; systole doctor says what to do");
    }
  } else {
    copy = strdup(names);
    if (copy == NULL) code = systole_story_errno(ENOMEM, "cannot read --devices");
    for (char *cursor = copy; cursor != NULL && code == 0;) {
      char *name = next_name(&cursor);
      if (*name != '\0') code = add_device(out, name, device_options, list, count);
    }
    if (code == 0 && out->count == 0) {
      code =
          systole_story(SYSTOLE_EXIT_USAGE, "--devices is empty; write e.g. rtl:16,cpu");
    }
  }
  free(copy);
  systole_device_list_free(list, count);
  return code;
}

int systole_fleet_finish(systole_fleet *fleet, int code, int quiet) {
  for (size_t i = 0; i < fleet->count; i++) {
    code = systole_station_finish(&fleet->stations[i], code, quiet);
  }
  return code;
}

void systole_fleet_close(systole_fleet *fleet) {
  for (size_t i = 0; i < fleet->count; i++) systole_station_close(&fleet->stations[i]);
}

void systole_fleet_remove(systole_fleet *fleet, size_t index) {
  systole_station_close(&fleet->stations[index]);
  fleet->count--;
  for (size_t i = index; i < fleet->count; i++) {
    fleet->stations[i] = fleet->stations[i + 1];
    fleet->devices[i] = fleet->devices[i + 1];
  }
  memset(&fleet->stations[fleet->count], 0, sizeof fleet->stations[0]);
  memset(&fleet->devices[fleet->count], 0, sizeof fleet->devices[0]);
}
