/* `compare --workload course`: the questions of a course on machine-learning hardware,
 * answered for the devices here and set beside published ones. The products of the
 * comparison (workload.c) come first; what is measured beyond them is here.
 * docs/method.md says how. */
#ifndef SYSTOLE_CLI_COURSE_COURSE_H
#define SYSTOLE_CLI_COURSE_COURSE_H

#include "fleet.h"
#include "report/report.h"
#include "workload.h"

typedef struct systole_course systole_course;

typedef struct systole_course_request {
  uint64_t seed;
  int quick;             /* 1: few sizes, few repeats: to try it, not to quote it */
  const char *published; /* a file with more devices, as host/report/data/devices.csv */
  const char *prices;    /* "cpu=0.05,model:64=1.65", USD per hour; NULL: none */
  double parameters, tokens; /* of the model whose training is costed */
} systole_course_request;

/* Reads files and prices, so that they are refused before the long work. */
int systole_course_open(systole_course **out, const systole_course_request *request);
void systole_course_close(systole_course *course);

/* Shapes for the comparison's products. Static storage. */
const char *systole_course_sizes(const systole_course *course);

/* The devices of the course among those usable here, "rtl:16,model:64,...,cpu". */
int systole_course_devices(char *out, size_t size);

/* Refuses prices of devices that are not there. Returns an exit code. */
int systole_course_fits(const systole_course *course, const systole_fleet *fleet);

/* The memory's speed on the devices that are CPUs, for the roofline. */
void systole_course_memory(systole_fleet *fleet);

/* Measures. The workload is the comparison's, solved; `cpu` computes right results.
 * Returns an exit code. *wrong becomes 1, and the story is stored, when a device's result
 * differs. */
int systole_course_measure(systole_course *course, int *wrong,
                           const systole_workload *workload, const systole_fleet *fleet,
                           const systole_device_options *options, systole_device *cpu);

/* Fills tables from what was measured and from the runs of the report. */
void systole_course_tables(const systole_course *course, systole_tables *tables,
                           const systole_report *report);

#endif
