#include "card_sensors.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
  /* No Alveo card may draw more (U200, U250, U280: 225 W, DS962 and DS963). What is far
   * above is no reading: the driver gives all ones when the controller does not answer.
   */
  kMostWatts = 450,
  kMostVolts = 20,
  kMostDegrees = 150
};

#define PCI "/sys/bus/pci/devices"

/* Room for the largest name of a folder's entry. */
typedef struct name {
  char text[256];
} name;

/* 1 and the first entry of `folder` that begins with `start`, in the order of names. */
static int first_entry(name *out, const char *folder, const char *start) {
  DIR *list = opendir(folder);
  int found = 0;
  if (list == NULL) return 0;
  for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
    if (strncmp(e->d_name, start, strlen(start)) != 0) continue;
    if (!found || strcmp(e->d_name, out->text) < 0) {
      (void)snprintf(out->text, sizeof out->text, "%s", e->d_name);
      found = 1;
    }
  }
  closedir(list);
  return found;
}

static int join(char out[SYSTOLE_PATH_BYTES], const char *folder, const char *file) {
  const int length = snprintf(out, SYSTOLE_PATH_BYTES, "%s/%s", folder, file);
  return length > 0 && length < SYSTOLE_PATH_BYTES;
}

static int is_readable(const char *path, int *denied) {
  char line[64];
  if (systole_read_line(path, line, sizeof line)) return 1;
  if (errno == EACCES || errno == EPERM) *denied = 1;
  return 0;
}

/* ---- where they are --------------------------------------------------------------- */

static int look_at_xmc(systole_card_sensors *out, const char *device, int *denied) {
  static const char *const rails[SYSTOLE_CARD_RAILS] = {"12v_pex", "12v_aux", "3v3_pex"};
  char folder[SYSTOLE_PATH_BYTES], file[64];
  name xmc;
  if (!first_entry(&xmc, device, "xmc.u.") || !join(folder, device, xmc.text)) return 0;
  if (join(out->power, folder, "xmc_power") && is_readable(out->power, denied)) {
    (void)snprintf(out->source, sizeof out->source, "xmc_power of card %s", out->bdf);
  } else {
    out->power[0] = '\0';
    for (int i = 0; i < SYSTOLE_CARD_RAILS; i++) {
      char(*pair)[SYSTOLE_PATH_BYTES] = out->rails[out->rail_count];
      (void)snprintf(file, sizeof file, "xmc_%s_vol", rails[i]);
      if (!join(pair[0], folder, file) || !is_readable(pair[0], denied)) continue;
      (void)snprintf(file, sizeof file, "xmc_%s_curr", rails[i]);
      if (!join(pair[1], folder, file) || !is_readable(pair[1], denied)) continue;
      out->rail_count++;
    }
    (void)snprintf(out->source, sizeof out->source, "%d rails of card %s",
                   out->rail_count, out->bdf);
  }
  if (join(out->temperature, folder, "xmc_fpga_temp") &&
      is_readable(out->temperature, denied)) {
    out->temperature_scale = 1;
  } else {
    out->temperature[0] = '\0';
  }
  return out->power[0] != '\0' || out->rail_count > 0;
}

static void find_hwmon_temperature(systole_card_sensors *out, const char *folder,
                                   int *denied) {
  out->temperature[0] = '\0';
  for (int i = 1; i <= 32; i++) {
    char file[32], path[SYSTOLE_PATH_BYTES], label[64];
    (void)snprintf(file, sizeof file, "temp%d_label", i);
    if (!join(path, folder, file) || !systole_read_line(path, label, sizeof label)) {
      continue;
    }
    if (strcmp(label, "FPGA TEMP") != 0) continue;
    (void)snprintf(file, sizeof file, "temp%d_input", i);
    if (join(path, folder, file) && is_readable(path, denied)) {
      memcpy(out->temperature, path, sizeof path);
      out->temperature_scale = 1e-3;
    }
    return;
  }
}

static int look_at_hwmon(systole_card_sensors *out, const char *device, int *denied) {
  char base[SYSTOLE_PATH_BYTES], folder[SYSTOLE_PATH_BYTES], path[SYSTOLE_PATH_BYTES],
      word[128];
  if (!join(base, device, "hwmon")) return 0;
  DIR *list = opendir(base);
  int found = 0;
  if (list == NULL) return 0;
  for (struct dirent *e = readdir(list); e != NULL && !found; e = readdir(list)) {
    if (strncmp(e->d_name, "hwmon", 5) != 0 || !join(folder, base, e->d_name)) continue;
    if (!join(path, folder, "name") || !systole_read_line(path, word, sizeof word)) {
      continue;
    }
    const size_t length = strlen(word);
    const int ours = (length > 5 && strcmp(word + length - 5, "_user") == 0) ||
                     strstr(word, "hwmon_sdm") != NULL;
    if (!ours || !join(out->power, folder, "power1_input") ||
        !is_readable(out->power, denied)) {
      out->power[0] = '\0';
      continue;
    }
    (void)snprintf(out->source, sizeof out->source, "%.16s/power1_input of card %s",
                   e->d_name, out->bdf);
    find_hwmon_temperature(out, folder, denied);
    found = 1;
  }
  closedir(list);
  return found;
}

static int look_at(systole_card_sensors *out, const char *root, const char *bdf,
                   int *denied) {
  char pci[SYSTOLE_PATH_BYTES], device[SYSTOLE_PATH_BYTES];
  memset(out, 0, sizeof *out);
  (void)snprintf(out->bdf, sizeof out->bdf, "%s", bdf);
  return systole_path(pci, root, PCI) && join(device, pci, bdf) &&
         (look_at_xmc(out, device, denied) || look_at_hwmon(out, device, denied));
}

static int find_only(systole_card_sensors *out, const char *root, int *denied, char *why,
                     size_t why_bytes) {
  char pci[SYSTOLE_PATH_BYTES];
  int count = 0;
  systole_card_sensors one;
  DIR *list = systole_path(pci, root, PCI) ? opendir(pci) : NULL;
  if (list == NULL) {
    (void)snprintf(why, why_bytes, "card: %s cannot be read (%s)", pci, strerror(errno));
    return 0;
  }
  for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
    if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof one.bdf ||
        !look_at(&one, root, e->d_name, denied)) {
      continue;
    }
    if (count++ > 0) {
      (void)snprintf(why, why_bytes,
                     "card: %s and %s both have sensors; name one, as card=%s", out->bdf,
                     one.bdf, one.bdf);
    } else {
      *out = one;
    }
  }
  closedir(list);
  if (count == 0)
    (void)snprintf(why, why_bytes, "card: none of %s has a card's sensors", pci);
  return count == 1;
}

int systole_card_sensors_find(systole_card_sensors *out, const char *root,
                              const char *bdf, char *why, size_t why_bytes) {
  char whole[16];
  int denied = 0, found;
  memset(out, 0, sizeof *out);
  why[0] = '\0';
  if (bdf == NULL || bdf[0] == '\0') {
    found = find_only(out, root, &denied, why, why_bytes);
  } else if (!systole_pci_address(whole, bdf)) {
    (void)snprintf(why, why_bytes, "card: '%s' is no PCIe address such as 0000:3b:00.1",
                   bdf);
    return 0;
  } else {
    found = look_at(out, root, whole, &denied);
    /* Function 0 manages the card; the sensors are with function 1, the user's. */
    const size_t last = strlen(whole) - 1;
    if (!found && whole[last] == '0') {
      whole[last] = '1';
      found = look_at(out, root, whole, &denied);
    }
    if (!found) {
      (void)snprintf(why, why_bytes, "card: %s%s/%s has no sensors of an Alveo card",
                     root, PCI, bdf);
    }
  }
  if (!found && denied) {
    (void)snprintf(
        why, why_bytes,
        "card: its sensors are there and this user may not read them; allow it: "
        "sudo chmod a+r " PCI "/*/xmc.u.*/xmc_* " PCI "/*/hwmon/hwmon*/*_input");
  }
  if (!found) memset(out, 0, sizeof *out);
  return found;
}

/* ---- readings --------------------------------------------------------------------- */

void systole_card_sensors_read(const systole_card_sensors *sensors,
                               systole_card_reading *out) {
  double value = 0, sum = 0;
  memset(out, 0, sizeof *out);
  if (sensors->power[0] != '\0') {
    out->has_power = systole_read_number(sensors->power, &value);
    sum = value * 1e-6;
  } else {
    out->has_power = sensors->rail_count > 0;
    for (int i = 0; i < sensors->rail_count && out->has_power; i++) {
      double mv = 0, ma = 0;
      out->has_power = systole_read_number(sensors->rails[i][0], &mv) &&
                       systole_read_number(sensors->rails[i][1], &ma) &&
                       mv <= 1e3 * kMostVolts;
      sum += mv * ma * 1e-6;
    }
  }
  if (!(sum > 0 && sum < kMostWatts)) out->has_power = 0;
  out->power_w = out->has_power ? sum : 0;
  if (sensors->temperature[0] != '\0' &&
      systole_read_number(sensors->temperature, &value)) {
    value *= sensors->temperature_scale;
    out->has_temperature = value > -50 && value < kMostDegrees;
    out->temperature_c = out->has_temperature ? value : 0;
  }
}
