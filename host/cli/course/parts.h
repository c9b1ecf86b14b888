/* The parts of a course: each measures for one question and fills its tables. */
#ifndef SYSTOLE_CLI_COURSE_PARTS_H
#define SYSTOLE_CLI_COURSE_PARTS_H

#include "course/classifier.h"
#include "course/course.h"
#include "progress.h"
#include "report/records.h"

/* ---- networks of growing size: from which size on is a device faster? ------------- */

enum { SystoleNetworks = 13, SystoleNetworkBatches = 2 };

typedef struct systole_network_run {
  systole_passes passes; /* sorted in the end */
  uint64_t mismatches;
} systole_network_run;

typedef struct systole_networks {
  int64_t hidden[SystoleNetworks];
  size_t count;
  int64_t batches[SystoleNetworkBatches];
  systole_network_run runs[SystoleNetworks][SystoleNetworkBatches][SystoleFleetDevices];
} systole_networks;

/* ---- serving: how many inferences a second under a limit of latency? -------------- */

enum { SystoleServingBatches = 13 };

/* One batch size of one device. */
typedef struct systole_serving_point {
  int64_t batch; /* 0: not tried */
  double latency_s, low_s, median_s, high_s, per_second;
  size_t passes;
} systole_serving_point;

typedef struct systole_serving_run {
  systole_serving_point points[SystoleServingBatches]; /* as many as were tried */
  size_t count;
  int64_t batch;     /* the best that kept the limit; 0: none did */
  double latency_s;  /* its 99th percentile, or the exact one of a simulated device */
  double per_second; /* inferences */
  size_t passes;
  int capped; /* 1: the largest batch that was tried kept the limit */
} systole_serving_run;

typedef struct systole_serving {
  int64_t hidden, largest;
  double limit_s;
  systole_serving_run runs[SystoleFleetDevices];
} systole_serving;

/* ---- profile: how much of an application can be offloaded? ------------------------ */

typedef struct systole_profile {
  int64_t hidden, batch;
  size_t repeats;
  double prepare_s, finish_s;             /* on the host, medians */
  double products_s[SystoleFleetDevices]; /* device alone; 0: not run */
  double end_s[SystoleFleetDevices];      /* with packing and transfers */
} systole_profile;

struct systole_course {
  systole_course_request request;
  systole_records *devices, *more, *serving_published, *tasks, *scales, *training,
      *formats;
  systole_fleet own;          /* those of the devices that take int8: borrowed handles */
  const systole_fleet *fleet; /* the same */
  systole_device *cpu;
  systole_result *format_runs; /* [product][device]; owned */
  size_t format_run_count;
  systole_networks networks;
  systole_serving serving;
  systole_profile profile;
  systole_bar bar;
};

/* A new part begins, with a bar of its own. */
void systole_course_stage(systole_course *course, const char *title);

/* A failed check: the first is told. Returns an exit code of its own only after Ctrl-C.
 */
void systole_course_wrong(int *wrong, const char *device, int64_t hidden, int64_t batch,
                          uint64_t mismatches);

int systole_networks_measure(systole_course *course, int *wrong);
int systole_serving_measure(systole_course *course, int *wrong);
int systole_profile_measure(systole_course *course, int *wrong);

void systole_networks_tables(const systole_course *course, systole_tables *tables);
void systole_serving_tables(const systole_course *course, systole_tables *tables,
                            const systole_report *report);
void systole_profile_table(const systole_course *course, systole_tables *tables);
void systole_devices_tables(const systole_course *course, systole_tables *tables,
                            const systole_report *report);
/* Every product in every format of the devices compared. Nothing without a float device.
 */
int systole_formats_measure(systole_course *course, const systole_workload *workload,
                            const systole_fleet *fleet,
                            const systole_device_options *options);
void systole_formats_table(const systole_course *course, systole_tables *tables);
void systole_training_table(const systole_course *course, systole_tables *tables,
                            const systole_report *report);
void systole_energy_tables(const systole_course *course, systole_tables *tables,
                           const systole_report *report);

/* The run of a device with the highest throughput; NULL: none. */
const systole_result *systole_course_best(const systole_report *report, size_t device);

/* "int8", "fp32", "bf16": a device's number format as tables write it. */
const char *systole_course_format(const char *device);

/* "measured" of a real device, "modelled" of a simulated one. */
systole_kind systole_course_kind(const systole_station *station);

#endif
