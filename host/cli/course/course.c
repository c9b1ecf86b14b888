#include "course/course.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "course/parts.h"
#include "memory_speed.h"
#include "number.h"
#include "signals.h"
#include "story.h"

/* Squares up to where an array is busy, and the shapes of one picture and of a batch. */
static const char sizes[] = "64,128,256,512,1024,2048,1x1024x1024,64x1024x1024";
static const char quick_sizes[] = "32,64,128,1x256x256";

/* "NAME=USD,NAME=USD". With a fleet every name must be in it. */
static int check_prices(const char *text, const systole_fleet *fleet) {
  char *copy = strdup(text), *rest = NULL;
  int code = copy != NULL ? 0 : systole_story_errno(ENOMEM, "cannot read --price");
  for (char *part = code == 0 ? strtok_r(copy, ",", &rest) : NULL;
       part != NULL && code == 0; part = strtok_r(NULL, ",", &rest)) {
    char *sign = strrchr(part, '=');
    double value;
    if (sign == NULL || sign == part) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "--price has '%s'; write DEVICE=USD, e.g. cpu=0.05", part);
      break;
    }
    *sign = '\0';
    code = systole_parse_positive(&value, sign + 1, "--price");
    size_t found = 0;
    for (size_t d = 0; fleet != NULL && d < fleet->count; d++) {
      found += strcmp(fleet->devices[d].name, part) == 0;
    }
    if (code == 0 && fleet != NULL && found == 0) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "--price names '%s', which is not among the devices compared",
                           part);
    }
  }
  free(copy);
  return code;
}

int systole_course_open(systole_course **out, const systole_course_request *request) {
  *out = NULL;
  systole_course *course = calloc(1, sizeof *course);
  if (course == NULL) return systole_story_errno(ENOMEM, "cannot hold the course");
  course->request = *request;
  int code = systole_records_builtin(&course->devices, "devices");
  if (code == 0) code = systole_records_builtin(&course->serving_published, "serving");
  if (code == 0) code = systole_records_builtin(&course->tasks, "tasks");
  if (code == 0) code = systole_records_builtin(&course->scales, "scales");
  if (code == 0) code = systole_records_builtin(&course->training, "training");
  if (code == 0) code = systole_records_builtin(&course->formats, "formats");
  if (code == 0 && request->published != NULL) {
    code = systole_records_file(&course->more, "devices", request->published);
  }
  if (code == 0 && request->prices != NULL) code = check_prices(request->prices, NULL);
  if (code != 0) {
    systole_course_close(course);
  } else {
    *out = course;
  }
  return code;
}

void systole_course_close(systole_course *course) {
  if (course == NULL) return;
  for (size_t i = 0; i < SystoleNetworks; i++) {
    for (size_t b = 0; b < SystoleNetworkBatches; b++) {
      for (size_t d = 0; d < SystoleFleetDevices; d++) {
        systole_passes_free(&course->networks.runs[i][b][d].passes);
      }
    }
  }
  free(course->format_runs);
  systole_records_free(course->devices);
  systole_records_free(course->more);
  systole_records_free(course->serving_published);
  systole_records_free(course->tasks);
  systole_records_free(course->scales);
  systole_records_free(course->training);
  systole_records_free(course->formats);
  free(course);
}

int systole_course_fits(const systole_course *course, const systole_fleet *fleet) {
  const char *prices = course->request.prices;
  return prices != NULL ? check_prices(prices, fleet) : 0;
}

const char *systole_course_sizes(const systole_course *course) {
  return course->request.quick ? quick_sizes : sizes;
}

static int opens(const char *name) {
  systole_device *device = NULL;
  const systole_status status = systole_device_open(&device, name, NULL);
  systole_device_close(device);
  return status == SYSTOLE_OK;
}

const char *systole_course_format(const char *device) {
  const systole_format format = systole_device_name_format(device);
  return format == SYSTOLE_FORMAT_F32 ? "fp32" : systole_format_name(format);
}

static void append(char *out, size_t size, const char *name) {
  const size_t used = strlen(out);
  snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", name);
}

/* The same machine in the float formats that it has. */
static void append_formats(char *out, size_t size, const char *name) {
  static const systole_format formats[] = {SYSTOLE_FORMAT_F32, SYSTOLE_FORMAT_BF16,
                                           SYSTOLE_FORMAT_F16};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    char other[64];
    if (systole_device_in_format(other, sizeof other, name, formats[i]) != SYSTOLE_OK)
      continue;
    if (opens(other)) append(out, size, other);
  }
}

int systole_course_devices(char *out, size_t size) {
  /* Of each line the first that works: the same size costs less in the fast model, whose
   * cycles are the RTL's; the smallest is small enough to be the RTL itself. */
  static const char *const arrays[][2] = {
      {"rtl:16", "model:16"}, {"model:64", "rtl:64"}, {"model:tpu-v1", "model:256"}};
  systole_device_info *list = NULL;
  size_t count = 0;
  out[0] = '\0';
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
    for (int j = 0; j < 2; j++) {
      if (!opens(arrays[i][j])) continue;
      append(out, size, arrays[i][j]);
      break;
    }
  }
  const int code =
      systole_story_of(systole_device_list(&list, &count), "cannot list the devices");
  if (code != 0) return code;
  for (int cpus = 0; cpus <= 1; cpus++) {
    for (size_t i = 0; i < count; i++) {
      const int is_cpu = strcmp(list[i].name, "cpu") == 0;
      if (!list[i].usable || is_cpu != cpus) continue;
      if (!is_cpu && (strcmp(list[i].kind, "gpu") != 0 ||
                      systole_device_name_format(list[i].name) != SYSTOLE_FORMAT_S8)) {
        continue;
      }
      append(out, size, list[i].name);
      append_formats(out, size, list[i].name);
    }
  }
  systole_device_list_free(list, count);
  if (out[0] == '\0') {
    return systole_story(SYSTOLE_EXIT_ABSENT,
                         "no device is usable here; systole doctor says what to do");
  }
  return 0;
}

void systole_course_stage(systole_course *course, const char *title) {
  systole_bar_end(&course->bar);
  systole_bar_start(&course->bar, title);
}

void systole_course_wrong(int *wrong, const char *device, int64_t hidden, int64_t batch,
                          uint64_t mismatches) {
  if (mismatches == 0 || *wrong) return;
  *wrong = 1;
  systole_story(SYSTOLE_EXIT_WRONG,
                "%s computes the network 784-%lld-%lld-10 wrong at batch %lld: %llu "
                "values differ from the CPU's",
                device, (long long)hidden, (long long)hidden, (long long)batch,
                (unsigned long long)mismatches);
}

systole_kind systole_course_kind(const systole_station *station) {
  return systole_station_varies(station) ? SYSTOLE_KIND_MEASURED : SYSTOLE_KIND_MODELLED;
}

const systole_result *systole_course_best(const systole_report *report, size_t device) {
  const systole_result *best = NULL;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (strcmp(r->device, report->devices[device].name) != 0) continue;
    if (r->stats.gops > 0 && (best == NULL || r->stats.gops > best->stats.gops)) best = r;
  }
  return best;
}

void systole_course_memory(systole_fleet *fleet) {
  double speed = -1;
  for (size_t d = 0; d < fleet->count; d++) {
    if (strcmp(fleet->devices[d].kind, "cpu") != 0) continue;
    if (speed < 0) speed = systole_memory_speed(fleet->stations[d].threads);
    fleet->devices[d].bandwidth_gbs = speed;
    fleet->devices[d].bandwidth_kind =
        speed > 0 ? SYSTOLE_KIND_MEASURED : SYSTOLE_KIND_UNKNOWN;
  }
}

/* Long simulations ask here whether to go on. */
static int go_on(void *user, uint64_t done, uint64_t total) {
  (void)user;
  (void)done;
  (void)total;
  return systole_interrupted();
}

int systole_course_measure(systole_course *course, int *wrong,
                           const systole_workload *workload, const systole_fleet *fleet,
                           const systole_device_options *options, systole_device *cpu) {
  course->fleet = &course->own;
  course->cpu = cpu;
  for (size_t d = 0; d < fleet->count; d++) {
    if (fleet->stations[d].format != SYSTOLE_FORMAT_S8) continue;
    course->own.stations[course->own.count] = fleet->stations[d];
    course->own.devices[course->own.count++] = fleet->devices[d];
    systole_device_set_progress(fleet->stations[d].device, go_on, NULL);
  }
  systole_bar_start(&course->bar, "course");
  int code = systole_formats_measure(course, workload, fleet, options);
  if (course->own.count == 0) { /* float devices alone: products are all */
    systole_bar_end(&course->bar);
    return code;
  }
  if (code == 0) code = systole_networks_measure(course, wrong);
  if (code == 0) code = systole_serving_measure(course, wrong);
  if (code == 0) code = systole_profile_measure(course, wrong);
  systole_bar_end(&course->bar);
  for (size_t d = 0; d < fleet->count; d++) {
    systole_device_set_progress(fleet->stations[d].device, NULL, NULL);
  }
  return code;
}

void systole_course_tables(const systole_course *course, systole_tables *tables,
                           const systole_report *report) {
  systole_devices_tables(course, tables, report);
  systole_formats_table(course, tables);
  if (course->own.count > 0) {
    systole_networks_tables(course, tables);
    systole_serving_tables(course, tables, report);
    systole_profile_table(course, tables);
  }
  systole_energy_tables(course, tables, report);
  systole_training_table(course, tables, report);
}
