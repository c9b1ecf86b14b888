/* systole doctor: what is installed, what is missing, and the command that mends it. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "check.h"
#include "findings.h"
#include "number.h"
#include "operands.h"
#include "options.h"
#include "report/machine.h"
#include "show.h"
#include "story.h"
#include "streams.h"
#include "subcommands.h"
#include "support/sha256.h"
#include "systole/energy.h"
#include "text.h"

static const char *const state_words[] = {"good", "note", "missing"};

void systole_find(systole_findings *all, const char *name, systole_finding_state state,
                  const char *remedy, const char *format, ...) {
  if (all->count == SystoleFindings) return;
  systole_finding *entry = &all->list[all->count++];
  va_list arguments;
  snprintf(entry->name, sizeof entry->name, "%s", name);
  snprintf(entry->remedy, sizeof entry->remedy, "%s", remedy);
  entry->state = state;
  va_start(arguments, format);
  vsnprintf(entry->found, sizeof entry->found, format, arguments);
  va_end(arguments);
}

/* 1 when `program` lies in a folder of PATH; its place in `out`. */
static int find_program(char *out, size_t size, const char *program) {
  const char *path = getenv("PATH");
  char *copy = strdup(path != NULL ? path : "");
  char *rest = NULL;
  int found = 0;
  if (copy == NULL) return 0;
  for (char *folder = strtok_r(copy, ":", &rest); folder != NULL && !found;
       folder = strtok_r(NULL, ":", &rest)) {
    struct stat status;
    snprintf(out, size, "%s/%s", folder, program);
    found = access(out, X_OK) == 0 && stat(out, &status) == 0 && S_ISREG(status.st_mode);
  }
  free(copy);
  return found;
}

/* A product small enough to be instant and odd enough to pad: the device really works. */
static int try_device(systole_findings *all, const char *name, const char *about,
                      char *kernel, size_t kernel_size) {
  enum { M = 19, N = 23, K = 37 };
  int8_t a[M * K], b[K * N];
  int32_t c[M * N] = {0}, expected[M * N];
  float a_f32[M * K], b_f32[K * N], c_f32[M * N];
  const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  const int floats = systole_device_name_format(name) != SYSTOLE_FORMAT_S8;
  systole_device *device = NULL;
  systole_stats stats;
  memset(&stats, 0, sizeof stats);
  systole_draw_s8(a, M * K, 1, SYSTOLE_STREAM_A);
  systole_draw_s8(b, K * N, 1, SYSTOLE_STREAM_B);
  systole_plain_product(expected, a, b, M, N, K);
  systole_status status = systole_device_open(&device, name, &options);
  if (status == SYSTOLE_OK && floats) {
    /* The same integers; every format holds them and float32 their sums. */
    for (int i = 0; i < M * K; i++) a_f32[i] = (float)a[i];
    for (int i = 0; i < K * N; i++) b_f32[i] = (float)b[i];
    status = systole_gemm_f32(device, M, N, K, a_f32, K, b_f32, N, c_f32, N, &stats);
    for (int i = 0; i < M * N && status == SYSTOLE_OK; i++) c[i] = (int32_t)c_f32[i];
  } else if (status == SYSTOLE_OK) {
    status = systole_gemm_s8(device, M, N, K, a, K, b, N, c, N, &stats);
  }
  systole_device_close(device);
  if (status != SYSTOLE_OK) {
    systole_find(
        all, name, SYSTOLE_FINDING_MISSING, "build again: cmake --build --preset release",
        "a product of %d x %d x %d failed: %.150s", M, N, K, systole_last_error());
    return 0;
  }
  if (memcmp(c, expected, sizeof c) != 0) {
    systole_find(all, name, SYSTOLE_FINDING_MISSING,
                 "please report this with the output of systole doctor --json",
                 "a product of %d x %d x %d is wrong", M, N, K);
    return 0;
  }
  if (kernel != NULL)
    snprintf(kernel, kernel_size, "%s", stats.kernel ? stats.kernel : "");
  systole_find(all, name, SYSTOLE_FINDING_GOOD, "",
               "%.120s; a product of %d x %d x %d is exact", about, M, N, K);
  return 1;
}

/* The self-test of a bitstream: the product that its passport has the digest of. */
static void try_bitstream(systole_findings *all, const char *xclbin) {
  enum { M = 19, N = 23, K = 37 };
  int8_t a[M * K], b[K * N];
  int32_t c[M * N] = {0};
  uint8_t raw[SYSTOLE_SHA256_BYTES];
  char name[1100], digest[SYSTOLE_SHA256_TEXT];
  const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_bitstream paper;
  systole_device *device = NULL;
  if (systole_bitstream_read(&paper, xclbin) != SYSTOLE_OK) return;
  if (paper.selftest_sha256[0] == '\0') return;
  snprintf(name, sizeof name, "xrt:%.1024s", xclbin);
  systole_draw_s8(a, M * K, 1, SYSTOLE_STREAM_A);
  systole_draw_s8(b, K * N, 1, SYSTOLE_STREAM_B);
  systole_status status = systole_device_open(&device, name, &options);
  if (status == SYSTOLE_OK) {
    status = systole_gemm_s8(device, M, N, K, a, K, b, N, c, N, NULL);
  }
  systole_device_close(device);
  systole_sha256_of(raw, c, sizeof c);
  systole_sha256_text(digest, raw);
  if (status != SYSTOLE_OK) {
    systole_find(all, "self-test", SYSTOLE_FINDING_NOTE,
                 "mend what is said of XRT and the card, then try again", "%.300s",
                 systole_last_error());
  } else if (strcmp(digest, paper.selftest_sha256) != 0) {
    systole_find(
        all, "self-test", SYSTOLE_FINDING_MISSING,
        "xbutil validate --device BDF; if the card is sound, build the bitstream "
        "again",
        "the card's product of %d x %d x %d is not that of the passport", M, N, K);
  } else {
    systole_find(all, "self-test", SYSTOLE_FINDING_GOOD, "",
                 "the card's product of %d x %d x %d is that of the passport", M, N, K);
  }
}

/* Returns 1 when a simulated array and the CPU both work: the main job can run. */
static int look_at_devices(systole_findings *all) {
  systole_device_info *list = NULL;
  size_t count = 0;
  int arrays = 0, cpus = 0;
  char kernel[64] = "", unbuilt[160] = "";
  const char *reason = NULL;
  if (systole_device_list(&list, &count) != SYSTOLE_OK) {
    systole_find(all, "devices", SYSTOLE_FINDING_MISSING, "", "%.200s",
                 systole_last_error());
    return 0;
  }
  for (size_t i = 0; i < count; i++) {
    const int is_cpu = strncmp(list[i].name, "cpu", 3) == 0;
    const int is_float = systole_device_name_format(list[i].name) != SYSTOLE_FORMAT_S8;
    if (!list[i].usable && (strcmp(list[i].kind, "gpu") == 0 || (is_cpu && is_float))) {
      /* Most machines have none, and that is no fault. */
      systole_find(all, list[i].name, SYSTOLE_FINDING_NOTE, "", "not usable: %.300s",
                   list[i].reason);
    } else if (list[i].usable && is_float && strcmp(list[i].kind, "functional") == 0) {
      /* Its kernels may take half a minute to compile, and it is there for tests. */
      systole_find(all, list[i].name, SYSTOLE_FINDING_GOOD, "", "%.200s; not tried",
                   list[i].about);
    } else if (!list[i].usable && strncmp(list[i].name, "systemc", 7) == 0) {
      systole_find(all, list[i].name, SYSTOLE_FINDING_NOTE,
                   "apt-get install libsystemc-dev, then configure and build again",
                   "not usable: %.300s", list[i].reason);
    } else if (!list[i].usable && is_cpu) {
      systole_find(all, list[i].name, SYSTOLE_FINDING_MISSING, list[i].reason,
                   "not usable");
    } else if (!list[i].usable) {
      const size_t used = strlen(unbuilt);
      snprintf(unbuilt + used, sizeof unbuilt - used, "%s%s", used > 0 ? ", " : "",
               list[i].name);
      if (reason == NULL) reason = list[i].reason;
    } else if (is_cpu) {
      cpus += try_device(all, list[i].name, list[i].about, is_float ? NULL : kernel,
                         sizeof kernel);
    } else {
      const int good = try_device(all, list[i].name, list[i].about, NULL, 0);
      if (strcmp(list[i].kind, "accelerator") == 0) arrays += good;
    }
  }
  /* Sizes that one did not ask for are no fault. */
  if (reason != NULL)
    systole_find(all, "other devices", SYSTOLE_FINDING_NOTE, reason, "not usable: %.200s",
                 unbuilt);
  if (cpus > 0 && strstr(kernel, "dnnl") == NULL && strstr(kernel, "onednn") == NULL) {
    systole_find(
        all, "oneDNN", SYSTOLE_FINDING_NOTE,
        "a fast reference on AVX512-VNNI needs it: apt-get install libdnnl-dev, then "
        "build again",
        "the CPU reference uses its own kernel '%.60s'", kernel);
  } else if (cpus > 0) {
    systole_find(all, "oneDNN", SYSTOLE_FINDING_GOOD, "",
                 "the CPU reference uses '%.60s'", kernel);
  }
  if (arrays == 0) {
    systole_find(
        all, "models", SYSTOLE_FINDING_MISSING,
        "apt-get install verilator g++, then cmake --preset release && cmake --build "
        "--preset "
        "release",
        "no simulated array is built");
  }
  systole_device_list_free(list, count);
  return arrays > 0 && cpus > 0;
}

static void look_at_programs(systole_findings *all) {
  char place[512];
  if (find_program(place, sizeof place, "gnuplot")) {
    systole_find(all, "gnuplot", SYSTOLE_FINDING_GOOD, "", "%.200s", place);
  } else {
    systole_find(all, "gnuplot", SYSTOLE_FINDING_NOTE, "apt-get install gnuplot-nox",
                 "not found: systole compare leaves its figures out");
  }
  if (find_program(place, sizeof place, "gtkwave") ||
      find_program(place, sizeof place, "surfer")) {
    systole_find(all, "waveforms", SYSTOLE_FINDING_GOOD, "", "%.200s", place);
  } else {
    systole_find(all, "waveforms", SYSTOLE_FINDING_NOTE, "apt-get install gtkwave",
                 "no viewer found for what systole trace writes");
  }
}

/* One line for each source of energy, of whatever device. What is not there and asks for
 * nothing is said in one line. */
static void look_at_energy(systole_findings *all) {
  systole_energy_source *list = NULL;
  size_t count = 0;
  int measured = 0;
  char model[sizeof list->found] = "";
  if (systole_energy_source_list(&list, &count) != SYSTOLE_OK) return;
  for (size_t i = 0; i < count; i++) {
    const systole_energy_source *s = &list[i];
    char name[32];
    if (strcmp(s->name, "model") == 0) {
      snprintf(model, sizeof model, "%s", s->found);
      continue;
    }
    snprintf(name, sizeof name, "%.8s energy", s->of);
    if (s->usable) {
      measured |= strcmp(s->of, "CPU") == 0;
      systole_find(all, name, SYSTOLE_FINDING_GOOD, "", "%.300s", s->found);
    } else {
      systole_find(all, name, SYSTOLE_FINDING_NOTE, s->remedy, "%s%.280s",
                   s->there ? "there, but " : "", s->found);
    }
  }
  systole_find(all, "CPU energy", SYSTOLE_FINDING_GOOD, "",
               measured
                   ? "where a run is too short to be measured: %.250s"
                   : "no counter can be read, so it is modelled and marked so: %.250s",
               model);
  systole_energy_source_list_free(list);
}

/* The flags of the first processor in /proc/cpuinfo that decide how fast int8 is. */
static void look_at_cpu(systole_findings *all) {
  static const char *const wanted[] = {"avx512_vnni", "avx_vnni", "avx512f", "avx2"};
  char line[8192], present[128] = "";
  FILE *file = fopen("/proc/cpuinfo", "r");
  systole_machine machine;
  systole_machine_describe(&machine);
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "flags", 5) != 0) continue;
    char *rest = NULL;
    for (char *flag = strtok_r(line, " \t\n:", &rest); flag != NULL;
         flag = strtok_r(NULL, " \t\n:", &rest)) {
      for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(flag, wanted[i]) == 0) {
          const size_t used = strlen(present);
          snprintf(present + used, sizeof present - used, " %s", flag);
        }
      }
    }
    break;
  }
  if (file != NULL) fclose(file);
  const int fast = strstr(present, "vnni") != NULL;
  systole_find(
      all, "CPU", fast ? SYSTOLE_FINDING_GOOD : SYSTOLE_FINDING_NOTE,
      fast ? ""
           : "nothing to do: without VNNI the int8 reference is slower, and still exact",
      "%.100s, %d core%s,%s", machine.cpu, machine.cores, machine.cores == 1 ? "" : "s",
      present[0] != '\0' ? present : " no AVX");
}

static void look_at_room(systole_findings *all) {
  char free_text[SystoleText];
  const uint64_t available = systole_memory_available();
  if (available != UINT64_MAX) {
    const int little = available < (UINT64_C(1) << 30);
    systole_find(all, "memory", little ? SYSTOLE_FINDING_NOTE : SYSTOLE_FINDING_GOOD,
                 little ? "close other programs before large products" : "", "%s free",
                 systole_text_bytes(free_text, available));
  }
  struct statvfs disk;
  if (statvfs(".", &disk) == 0) {
    const uint64_t bytes = (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize;
    const int little = bytes < (UINT64_C(256) << 20);
    systole_find(all, "disk", little ? SYSTOLE_FINDING_NOTE : SYSTOLE_FINDING_GOOD,
                 little ? "make room before systole compare or systole trace" : "",
                 "%s free here", systole_text_bytes(free_text, bytes));
  }
  systole_find(all, "terminal", SYSTOLE_FINDING_GOOD, "", "%s, %s",
               isatty(STDERR_FILENO) ? "progress is shown"
                                     : "not a terminal: no progress is shown",
               systole_text_unicode() ? "UTF-8" : "plain ASCII");
}

typedef struct doctor_arguments {
  systole_common common;
  const char *xclbin;
} doctor_arguments;

static error_t parse(int key, char *text, struct argp_state *parse_state) {
  doctor_arguments *arguments = parse_state->input;
  if (key == 'j') {
    arguments->common.json = 1;
  } else if (key == 'x') {
    arguments->xclbin = text;
  } else {
    return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp_option options[] = {
    {"xclbin", 'x', "FILE", 0,
     "Also holds this bitstream's passport against it and the cards", 0},
    {"json", 'j', NULL, 0, "One JSON object on standard output, nothing else there", 0},
    {0}};
static const struct argp parser = {.options = options,
                                   .parser = parse,
                                   .doc =
                                       "Says what is installed, what is missing and what "
                                       "to do. Exit code 0 when the main job "
                                       "(systole compare) can run, else 3."};

static int show_findings_json(const systole_findings *all, int can_run) {
  cJSON *object = cJSON_CreateObject();
  cJSON *array = NULL;
  int good = cJSON_AddStringToObject(object, "version", SYSTOLE_VERSION) != NULL &&
             cJSON_AddBoolToObject(object, "can_run", can_run) != NULL &&
             (array = cJSON_AddArrayToObject(object, "findings")) != NULL;
  for (int i = 0; good && i < all->count; i++) {
    const systole_finding *f = &all->list[i];
    cJSON *entry = cJSON_CreateObject();
    good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
           cJSON_AddStringToObject(entry, "name", f->name) != NULL &&
           cJSON_AddStringToObject(entry, "state", state_words[f->state]) != NULL &&
           cJSON_AddStringToObject(entry, "found", f->found) != NULL &&
           (f->remedy[0] == '\0' ||
            cJSON_AddStringToObject(entry, "remedy", f->remedy) != NULL);
  }
  const int code = systole_show_json(good ? object : NULL);
  cJSON_Delete(object);
  return code;
}

static void show_findings(const systole_findings *all, int can_run) {
  for (int i = 0; i < all->count; i++) {
    const systole_finding *f = &all->list[i];
    const char *colour = f->state == SYSTOLE_FINDING_GOOD      ? systole_text_good()
                         : f->state == SYSTOLE_FINDING_MISSING ? systole_text_bad()
                                                               : systole_text_bold();
    printf("  %s%-8s%s %-18s %s\n", colour, state_words[f->state], systole_text_plain(),
           f->name, f->found);
    if (f->remedy[0] != '\0') printf("  %-8s %-18s -> %s\n", "", "", f->remedy);
  }
  printf("\n  %s\n", can_run ? "The main job can run: systole compare --out report"
                             : "The main job cannot run yet; mend what is missing.");
}

int systole_main_doctor(int argc, char **argv) {
  doctor_arguments arguments = {.xclbin = NULL};
  const char *root = getenv("SYSTOLE_ROOT");
  systole_common_init(&arguments.common);
  int code = systole_parse(&parser, "doctor", argc, argv, &arguments, &arguments.common);
  if (code != 0) return code;
  systole_findings *all = calloc(1, sizeof *all);
  if (all == NULL) return systole_story_errno(ENOMEM, "cannot examine this machine");
  const int can_run = look_at_devices(all);
  look_at_programs(all);
  look_at_energy(all);
  look_at_cpu(all);
  look_at_room(all);
  systole_doctor_xrt(all, root != NULL ? root : "", arguments.xclbin);
  if (arguments.xclbin != NULL) try_bitstream(all, arguments.xclbin);
  if (arguments.common.json) {
    code = show_findings_json(all, can_run);
  } else {
    show_findings(all, can_run);
  }
  free(all);
  if (code == 0 && !can_run) {
    code = systole_story(SYSTOLE_EXIT_ABSENT, "the main job cannot run here yet");
  }
  return code;
}
