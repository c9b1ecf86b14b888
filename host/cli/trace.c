/* systole trace: the waveform of a product on a simulated device. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "measure.h"
#include "number.h"
#include "operands.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"
#include "text.h"
#include "verify.h"

typedef struct trace_arguments {
  systole_common common;
  const char *device, *out;
  systole_operands_request operands;
} trace_arguments;

enum { KeyA = 2000, KeyB, KeyOut, KeySeed, KeyCycles };

static const struct argp_option options[] = {
    {"out", KeyOut, "WAVE.fst", 0, "The waveform (FST); required", 1},
    {"device", 'd', "NAME", 0, "Simulated device (default rtl:16)", 1},
    {"cycles", KeyCycles, "FIRST:LAST", 0,
     "Only this window of cycles (default: the whole run)", 1},
    {NULL, 'm', "ROWS", 0, "Rows of A and C (default 32)", 2},
    {NULL, 'n', "COLUMNS", 0, "Columns of B and C (default 32)", 2},
    {NULL, 'k', "DEPTH", 0, "Columns of A and rows of B (default 32)", 2},
    {"a", KeyA, "A.npy", 0, "Left operand, int8 or uint8; without it, random", 3},
    {"b", KeyB, "B.npy", 0, "Right operand, likewise", 3},
    {"seed", KeySeed, "SEED", 0, "Seed of random operands (default 1)", 3},
    {0}};

static int parse_window(systole_device_options *device, const char *text) {
  char copy[64];
  uint64_t last = 0;
  snprintf(copy, sizeof copy, "%s", text);
  char *colon = strchr(copy, ':');
  if (colon == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--cycles is '%s'; write FIRST:LAST, e.g. 100:500", text);
  }
  *colon = '\0';
  int code = systole_parse_u64(&device->trace_first_cycle, copy, "--cycles");
  if (code == 0) code = systole_parse_u64(&last, colon + 1, "--cycles");
  if (code == 0 && last < device->trace_first_cycle) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "--cycles is '%s'; the window ends before it begins", text);
  }
  if (code == 0) {
    const uint64_t cycles = last - device->trace_first_cycle;
    device->trace_cycles = cycles < UINT64_MAX ? cycles + 1 : cycles;
  }
  return code;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  trace_arguments *arguments = state->input;
  int code = 0;
  switch (key) {
    case ARGP_KEY_INIT:
      state->child_inputs[0] = &arguments->common;
      break;
    case 'd':
      arguments->device = text;
      break;
    case 'm':
      code = systole_parse_size(&arguments->operands.m, text, "-m");
      break;
    case 'n':
      code = systole_parse_size(&arguments->operands.n, text, "-n");
      break;
    case 'k':
      code = systole_parse_size(&arguments->operands.k, text, "-k");
      break;
    case KeyA:
      arguments->operands.a_path = text;
      break;
    case KeyB:
      arguments->operands.b_path = text;
      break;
    case KeyOut:
      arguments->out = text;
      break;
    case KeySeed:
      code = systole_parse_u64(&arguments->operands.seed, text, "--seed");
      break;
    case KeyCycles:
      code = parse_window(&arguments->common.device, text);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  if (code != 0) {
    arguments->common.failed = code;
    return EINVAL;
  }
  return 0;
}

static const struct argp_child children[] = {{&systole_common_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Runs one product on a simulated device and records every signal of it."
        "\vExample:\n"
        "  systole trace --device rtl:16 -m 32 -n 32 -k 32 --out wave.fst\n"
        "  gtkwave wave.fst",
    .children = children};

/* Sizes that nobody gave: small, so that the whole run fits on a screen. */
static void default_sizes(systole_operands_request *request) {
  const int64_t small = 32;
  if (request->m < 0 && request->a_path == NULL) request->m = small;
  if (request->n < 0 && request->b_path == NULL) request->n = small;
  if (request->k < 0 && request->a_path == NULL && request->b_path == NULL)
    request->k = small;
}

static void show_trace(const trace_arguments *arguments, const systole_result *result,
                       uint64_t bytes) {
  char cycles[SystoleText], size[SystoleText];
  printf("%s%s%s   %s cycles recorded in %s (%s)\n\n", systole_text_bold(),
         arguments->device, systole_text_plain(),
         systole_text_count(cycles, result->stats.cycles), arguments->out,
         systole_text_bytes(size, bytes));
  printf("  open it:     gtkwave %s    (or: surfer %s)\n", arguments->out,
         arguments->out);
  printf(
      "  look at:     the memory ports m_axi_gmem0_* and m_axi_gmem1_*, the command "
      "dispatch\n"
      "               and its tokens, rows entering the array, sums leaving it, and the\n"
      "               ledger's counters. All signals of the kernel are there.\n");
  if (arguments->common.device.trace_cycles == 0) {
    printf("  smaller:     --cycles FIRST:LAST records a window of the run\n");
  }
}

static int show_trace_json(const trace_arguments *arguments, const systole_result *result,
                           uint64_t bytes) {
  cJSON *object = systole_result_json(result);
  if (object != NULL &&
      (cJSON_AddStringToObject(object, "wave", arguments->out) == NULL ||
       !systole_json_u64(object, "wave_bytes", bytes))) {
    cJSON_Delete(object);
    object = NULL;
  }
  const int code = systole_show_json(object);
  cJSON_Delete(object);
  return code;
}

int systole_main_trace(int argc, char **argv) {
  trace_arguments arguments = {.device = "rtl:16",
                               .operands = {.m = -1, .n = -1, .k = -1, .seed = 1}};
  systole_common_init(&arguments.common);
  int code = systole_parse(&parser, "trace", argc, argv, &arguments, &arguments.common);
  if (code != 0) return code;
  if (arguments.out == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--out WAVE.fst is missing");
  }
  default_sizes(&arguments.operands);

  systole_operands operands = {0};
  systole_output *output = NULL;
  systole_station station = {0};
  systole_samples samples = {0};
  systole_result result = {.workload = "gemm"};
  systole_mismatch mismatch = {0};
  systole_bar bar;
  struct stat wave;
  int32_t *c = NULL;
  if ((code = systole_operands_get(&operands, &arguments.operands)) != 0) goto done;
  if ((code = systole_output_open(&output, arguments.out)) != 0) goto done;
  if (systole_output_temporary(output) == NULL) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s is no regular file, and a waveform is not written in one pass",
                      arguments.out);
    goto done;
  }
  if (strncmp(arguments.device, "cpu", 3) == 0) {
    code =
        systole_story(SYSTOLE_EXIT_ABSENT,
                      "device '%s' has no signals to record; take a simulated one, e.g. "
                      "rtl:16",
                      arguments.device);
    goto done;
  }
  arguments.common.device.trace_path = systole_output_temporary(output);
  code = systole_station_open(&station, arguments.device, &arguments.common.device);
  if (code != 0) goto done;
  c = calloc((size_t)operands.m * (size_t)operands.n + 1, sizeof *c);
  if (c == NULL) {
    code = systole_story_errno(ENOMEM, "cannot hold the result");
    goto done;
  }
  const systole_job job = {.m = operands.m,
                           .n = operands.n,
                           .k = operands.k,
                           .a = operands.a,
                           .b = operands.b};
  systole_bar_start(&bar, arguments.device);
  systole_device_set_progress(station.device, systole_bar_update, &bar);
  code = systole_measure_once(&samples, &station, &job, c);
  systole_device_set_progress(station.device, NULL, NULL);
  systole_bar_end(&bar);
  if (code != 0) goto done;
  systole_summarise(&result, &station, &job, &samples);
  result.has_seed = operands.random;
  result.seed = arguments.operands.seed;
  code = systole_verify_raw(&result, &mismatch, arguments.device, &job, c);
  /* The waveform is complete once the device is closed. */
  code = systole_station_finish(&station, code, arguments.common.json);
  if (code != 0) goto done;
  if (stat(systole_output_temporary(output), &wave) != 0 || wave.st_size == 0) {
    code = systole_story(
        SYSTOLE_EXIT_ABSENT,
        "device '%s' recorded nothing; is it a model built with tracing, and "
        "does --cycles lie inside the run of %" PRIu64 " cycles?",
        arguments.device, result.stats.cycles);
    goto done;
  }
  /* A wrong result's waveform is the very thing one wants to see: it is kept. */
  code = systole_output_commit(output);
  output = NULL;
  if (code != 0) goto done;
  if (arguments.common.json) {
    code = show_trace_json(&arguments, &result, (uint64_t)wave.st_size);
  } else {
    show_trace(&arguments, &result, (uint64_t)wave.st_size);
  }
  if (code == 0 && result.mismatches > 0)
    code = systole_wrong_story(&result, &mismatch, &job);

done:
  free(c);
  systole_samples_free(&samples);
  code = systole_station_finish(&station, code, arguments.common.json);
  systole_output_discard(output);
  systole_operands_free(&operands);
  return code;
}
