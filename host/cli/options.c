#include "options.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../sim/memory/axi_memory.h"
#include "number.h"
#include "story.h"
#include "systole/energy.h"

enum {
  KeyMemory = 1000,
  KeyStalls,
  KeyClock,
  KeyThreads,
  KeyTimeout,
  KeyDeviceMemory,
  KeyRecord,
  KeyRecordLimit,
  KeyTechnology,
  KeyNoData,
  KeyJson
};

static const struct argp_option options[] = {
    {"memory", KeyMemory, "PRESET", 0,
     "Simulated memory: ideal (default), ddr4 or hbm2, or one of them with changes, e.g. "
     "ideal+gmem1=34GB/s; shown beside every utilisation",
     10},
    {"stalls", KeyStalls, "SEED", 0,
     "Random stalls on every AXI channel of a simulated device, from SEED (0: none)", 10},
    {"clock", KeyClock, "MHZ", 0, "Clock assumed for a simulated device (default 300)",
     10},
    {"device-memory", KeyDeviceMemory, "MIB", 0,
     "Memory of a simulated device (default: the card's)", 10},
    {"threads", KeyThreads, "COUNT", 0, "Threads of a CPU device (default: all)", 10},
    {"timeout", KeyTimeout, "MS", 0,
     "Longest silence of a device before it counts as hung", 10},
    {"record", KeyRecord, "FILE", 0,
     "Writes down what is done with the card, for systole replay", 10},
    {"record-limit", KeyRecordLimit, "MIB", 0,
     "Where that file ends at the latest (default 1024)", 10},
    {"technology", KeyTechnology, "NAME", 0,
     "Chip that an array's energy is modelled for: 45nm, 28nm, 7nm or fpga-16nm "
     "(default: "
     "45nm simulated, fpga-16nm on a card)",
     10},
    {"no-data", KeyNoData, NULL, 0,
     "Cycles alone, on model devices: no operands, no results, nothing to check", 10},
    {"json", KeyJson, NULL, 0, "One JSON object on standard output, nothing else there",
     20},
    {0}};

static int check_memory(const char *text) {
  systole_axi_timing ports[2];
  switch (systole_axi_ports(ports, text, 64, 300)) {
    case 0:
      return 0;
    case -1:
      return systole_story(SYSTOLE_EXIT_USAGE,
                           "--memory is '%s'; the presets are ideal, ddr4 and hbm2",
                           text);
    default:
      return systole_story(SYSTOLE_EXIT_USAGE,
                           "--memory is '%s'; behind the preset may stand +gmem0=, "
                           "+gmem1= (GB/s) and +latency0=, +latency1= (cycles, or e.g. "
                           "80ns)",
                           text);
  }
}

static error_t parse(int key, char *text, struct argp_state *state) {
  systole_common *common = state->input;
  uint64_t value = 0;
  int code = 0;
  switch (key) {
    case KeyMemory:
      code = check_memory(text);
      common->device.memory = text;
      break;
    case KeyStalls:
      code = systole_parse_u64(&common->device.stall_seed, text, "--stalls");
      break;
    case KeyClock:
      code = systole_parse_positive(&common->device.clock_mhz, text, "--clock");
      break;
    case KeyThreads:
      code = systole_parse_u64(&value, text, "--threads");
      if (code == 0 && (value < 1 || value > 4096)) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--threads is %s; 1 to 4096 make sense",
                             text);
      }
      common->device.threads = (int)value;
      break;
    case KeyTimeout:
      code = systole_parse_u64(&value, text, "--timeout");
      if (code == 0 && (value < 1 || value > UINT32_MAX)) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--timeout is %s; give milliseconds from 1 to 4294967295",
                             text);
      }
      common->device.timeout_ms = (uint32_t)value;
      break;
    case KeyDeviceMemory:
      code = systole_parse_u64(&value, text, "--device-memory");
      if (code == 0 && (value < 1 || value > (UINT64_C(1) << 32))) {
        code =
            systole_story(SYSTOLE_EXIT_USAGE,
                          "--device-memory is %s; give MiB from 1 to 4294967296", text);
      }
      common->device.memory_bytes = value << 20;
      break;
    case KeyRecord:
      common->device.record_path = text;
      break;
    case KeyRecordLimit:
      code = systole_parse_u64(&value, text, "--record-limit");
      if (code == 0 && (value < 1 || value > (UINT64_C(1) << 32))) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--record-limit is %s; give MiB from 1 to 4294967296", text);
      }
      common->device.record_bytes = value << 20;
      break;
    case KeyTechnology:
      if (systole_technology_title(text) == NULL) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--technology is '%s'; the technologies are 45nm, 28nm, 7nm "
                             "and fpga-16nm",
                             text);
      }
      common->device.technology = text;
      break;
    case KeyNoData:
      common->device.timing_only = 1;
      break;
    case KeyJson:
      common->json = 1;
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  if (code != 0) {
    common->failed = code;
    return EINVAL;
  }
  return 0;
}

const struct argp systole_common_argp = {.options = options, .parser = parse};

void systole_common_init(systole_common *common) {
  const systole_device_options defaults = SYSTOLE_DEVICE_OPTIONS_INIT;
  memset(common, 0, sizeof *common);
  common->device = defaults;
}

int systole_parse(const struct argp *argp, const char *name, int argc, char **argv,
                  void *input, const systole_common *common) {
  char full_name[64];
  snprintf(full_name, sizeof full_name, "systole %s", name);
  argv[0] = full_name;
  argp_err_exit_status = SYSTOLE_EXIT_USAGE;
  const error_t error = argp_parse(argp, argc, argv, 0, NULL, input);
  argv[0] = NULL;
  if (common->failed != 0) return common->failed;
  if (error != 0) return systole_story_errno(error, "cannot read the command line");
  return 0;
}

int systole_open(systole_device **out, const char *name,
                 const systole_device_options *options_) {
  const systole_status status = systole_device_open(out, name, options_);
  if (status == SYSTOLE_ERR_NOT_FOUND) {
    return systole_story_of(
        status, "cannot open device '%s' (systole devices lists what is here)", name);
  }
  return systole_story_of(status, "cannot open device '%s'", name);
}

int systole_threads_meant(int threads) {
  if (threads > 0) return threads;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}
