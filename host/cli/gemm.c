/* systole gemm: one product on one device, checked and measured. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise.h"
#include "card_energy.h"
#include "energy_run.h"
#include "measure.h"
#include "npy.h"
#include "number.h"
#include "operands.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"
#include "verify.h"

typedef struct gemm_arguments {
  systole_common common;
  const char *device;
  const char *out;
  systole_operands_request operands;
  int no_check;
  int int8;
  int repeat;          /* 0: chosen by the device */
  double card_power_s; /* 0: not measured */
  systole_energy_wish energy;
} gemm_arguments;

enum {
  KeyA = 2000,
  KeyB,
  KeyOut,
  KeySeed,
  KeyNoCheck,
  KeyRepeat,
  KeyInt8,
  KeyCardPower,
  KeyEnergy,
  KeyEnergySource
};

static const struct argp_option options[] = {
    {"device", 'd', "NAME", 0,
     "Device: rtl:16 (default), rtl:64, cpu, ... (see systole devices)", 1},
    {NULL, 'm', "ROWS", 0, "Rows of A and C", 2},
    {NULL, 'n', "COLUMNS", 0, "Columns of B and C", 2},
    {NULL, 'k', "DEPTH", 0, "Columns of A and rows of B", 2},
    {"a", KeyA, "A.npy", 0,
     "Left operand, int8 or uint8 (float32 for devices of floats); without it, random",
     3},
    {"b", KeyB, "B.npy", 0, "Right operand, likewise", 3},
    {"out", KeyOut, "C.npy", 0, "Writes the product (int32; float32 of floats)", 3},
    {"int8", KeyInt8, NULL, 0,
     "Results as int8: sums are divided by a power of two that suits random operands of "
     "this K, rounded half to even, clamped",
     3},
    {"seed", KeySeed, "SEED", 0, "Seed of random operands (default 1)", 3},
    {"no-check", KeyNoCheck, NULL, 0, "Does not compare the result with the CPU's", 4},
    {"repeat", KeyRepeat, "COUNT", 0,
     "Timed runs; the median is shown (default: 1 on simulated devices, for a second on "
     "others)",
     4},
    {"card-power", KeyCardPower, "SECONDS", 0,
     "Then measures the card's power, so long at rest and so long repeating the product "
     "(3 or more)",
     4},
    {"energy", KeyEnergy, "SECONDS", 0,
     "Then measures energy: three times so long at rest and so long repeating the "
     "product, or as long as the source needs; total and beyond rest",
     4},
    {"energy-source", KeyEnergySource, "NAME", 0,
     "Source of --energy: powercap, perf, hwmon, hwmon:CHIP, hwmon:CHIP/RAIL, nvml, "
     "battery or card (systole doctor tells what is here)",
     4},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
  gemm_arguments *arguments = state->input;
  uint64_t value = 0;
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
    case KeyInt8:
      arguments->int8 = 1;
      break;
    case KeyNoCheck:
      arguments->no_check = 1;
      break;
    case KeyRepeat:
      code = systole_parse_u64(&value, text, "--repeat");
      if (code == 0 && (value < 1 || value > 100000)) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--repeat is %s; 1 to 100000 make sense",
                             text);
      }
      arguments->repeat = (int)value;
      break;
    case KeyCardPower:
      code = systole_parse_positive(&arguments->card_power_s, text, "--card-power");
      if (code == 0 && !(arguments->card_power_s >= SYSTOLE_POWER_SHORTEST_S &&
                         arguments->card_power_s <= 86400)) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--card-power is %s; the sensors tell a new value once a "
                             "second, so give 3 to 86400 seconds",
                             text);
      }
      break;
    case KeyEnergy:
      code = systole_energy_wish_parse(&arguments->energy, text);
      break;
    case KeyEnergySource:
      arguments->energy.source = text;
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
        "Multiplies A (M x K) by B (K x N), int8 x int8 -> int32, exactly modulo 2^32, "
        "on one "
        "device; compares the result with the CPU's and shows what the run did."
        "\vExamples:\n"
        "  systole gemm --device rtl:16 -m 256 -n 256 -k 256\n"
        "  systole gemm --device rtl:64 --a A.npy --b B.npy --out C.npy --json",
    .children = children};

/* What has no meaning without data. */
static int check_no_data(const gemm_arguments *a) {
  const char *option = a->operands.a_path != NULL   ? "--a"
                       : a->operands.b_path != NULL ? "--b"
                       : a->out != NULL             ? "--out"
                       : a->card_power_s > 0        ? "--card-power"
                                                    : NULL;
  if (!a->common.device.timing_only || option == NULL) return 0;
  return systole_story(
      SYSTOLE_EXIT_USAGE,
      "--no-data computes nothing, so %s has no meaning: give -m, -n and "
      "-k alone",
      option);
}

static int run(systole_samples *samples, const systole_station *station,
               const systole_job *job, void *c, int repeat) {
  if (repeat == 0 && !systole_station_varies(station)) repeat = 1;
  if (repeat == 1 && !systole_station_varies(station)) {
    return systole_measure_once(samples, station, job, c);
  }
  systole_weights *weights = NULL;
  int code = systole_station_prepare(&weights, station, job);
  if (code == 0 && systole_station_varies(station))
    code = systole_warm_up(weights, job, c);
  if (code == 0) code = systole_measure_prepared(samples, weights, job, c, repeat, 1.0);
  systole_weights_free(weights);
  return code;
}

/* The epilogue of --int8. Sums of K products of random int8 spread by 73.9^2 sqrt(K); a
 * division by 2^(7 + log2(K) / 2) leaves about 43 of it, so that few are clamped. */
static int make_int8(systole_epilogue *out, int64_t n, int64_t k) {
  int shift = 7;
  for (int64_t depth = k; depth >= 4; depth /= 4) shift++;
  int32_t *multiplier = malloc(((size_t)n + 1) * sizeof *multiplier);
  uint8_t *shifts = malloc((size_t)n + 1);
  out->multiplier = multiplier;
  out->shift = shifts;
  if (multiplier == NULL || shifts == NULL) {
    return systole_story_errno(ENOMEM, "cannot hold the scales");
  }
  for (int64_t j = 0; j < n; j++) multiplier[j] = 1;
  memset(shifts, shift, (size_t)n + 1);
  return 0;
}

int systole_main_gemm(int argc, char **argv) {
  gemm_arguments arguments = {.device = "rtl:16",
                              .operands = {.m = -1, .n = -1, .k = -1, .seed = 1}};
  systole_common_init(&arguments.common);
  int code = systole_parse(&parser, "gemm", argc, argv, &arguments, &arguments.common);
  if (code != 0) return code;

  systole_operands operands = {0};
  systole_output *output = NULL;
  systole_station station = {0};
  systole_samples samples = {0};
  systole_result result = {.workload = "gemm"};
  systole_mismatch mismatch = {0};
  systole_float_mismatch float_mismatch = {0};
  systole_power_report power = {0};
  systole_bar bar;
  char title[96];
  void *c = NULL;
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  cJSON *object = NULL;

  /* Everything that can be refused is refused before the long work begins. */
  if (arguments.energy.source != NULL && !(arguments.energy.window_s > 0)) {
    code =
        systole_story(SYSTOLE_EXIT_USAGE, "--energy-source %s goes with --energy SECONDS",
                      arguments.energy.source);
    goto done;
  }
  const int floats = systole_device_name_format(arguments.device) != SYSTOLE_FORMAT_S8;
  arguments.operands.floats = floats;
  if (floats && arguments.int8) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "--int8 asks for int8 results, and %s multiplies floats",
                         arguments.device);
    goto done;
  }
  if ((code = check_no_data(&arguments)) != 0) goto done;
  arguments.operands.no_data = arguments.common.device.timing_only;
  if ((code = systole_operands_get(&operands, &arguments.operands)) != 0) goto done;
  if (arguments.int8 && (operands.a_moved || operands.b_moved)) {
    code = systole_story(
        SYSTOLE_EXIT_USAGE,
        "--int8 takes int8 operands; %s holds uint8, whose correction "
        "needs int32 results",
        operands.a_moved ? arguments.operands.a_path : arguments.operands.b_path);
    goto done;
  }
  if (arguments.int8 && (code = make_int8(&epilogue, operands.n, operands.k)) != 0)
    goto done;
  if (arguments.out != NULL &&
      (code = systole_output_open(&output, arguments.out)) != 0) {
    goto done;
  }
  if ((code = systole_station_open(&station, arguments.device,
                                   &arguments.common.device)) != 0) {
    goto done;
  }
  const int timing_only = systole_device_timing_only(station.device);
  if (timing_only && arguments.out != NULL) { /* data=0 in the device's name */
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s computes nothing, so there is no result for --out",
                         arguments.device);
    goto done;
  }
  if (!timing_only) c = calloc((size_t)operands.m * (size_t)operands.n + 1, 4);
  if (c == NULL && !timing_only) {
    code = systole_story_errno(ENOMEM, "cannot hold the result");
    goto done;
  }

  const systole_job job = {.m = operands.m,
                           .n = operands.n,
                           .k = operands.k,
                           .a = operands.a,
                           .b = operands.b,
                           .epilogue = arguments.int8 ? &epilogue : NULL,
                           .a_f32 = operands.a_f32,
                           .b_f32 = operands.b_f32};
  snprintf(title, sizeof title, "%s", arguments.device);
  systole_bar_start(&bar, title);
  systole_device_set_progress(station.device, systole_bar_update, &bar);
  code = run(&samples, &station, &job, c, arguments.repeat);
  systole_device_set_progress(station.device, NULL, NULL);
  systole_bar_end(&bar);
  if (code != 0) goto done;

  systole_summarise(&result, &station, &job, &samples);
  result.has_seed = operands.random && !timing_only;
  result.seed = arguments.operands.seed;
  if (!arguments.no_check && !timing_only) {
    code = floats ? systole_verify_f32(&result, &float_mismatch, station.format, &job, c)
                  : systole_verify(&result, &mismatch, arguments.device, &job, c);
    if (code != 0) goto done;
  }
  if (systole_interrupted()) {
    code = systole_interrupted_story();
    goto done;
  }
  if (output != NULL && result.mismatches == 0) {
    if (!arguments.int8 && (code = systole_operands_correct(c, &operands)) != 0)
      goto done;
    const systole_matrix matrix = {floats           ? SYSTOLE_TYPE_F32
                                   : arguments.int8 ? SYSTOLE_TYPE_S8
                                                    : SYSTOLE_TYPE_S32,
                                   operands.m, operands.n, c};
    systole_npy_write(systole_output_file(output), &matrix);
    code = systole_output_commit(output);
    output = NULL;
    if (code != 0) goto done;
  }
  systole_advise_product(&result, &job, &arguments.common.device,
                         operands.random || timing_only);
  if (arguments.card_power_s > 0 && result.mismatches == 0) {
    code = systole_card_energy_measure(&power, &station, &job, &result.stats, c,
                                       arguments.card_power_s);
    if (code != 0) goto done;
    result.stats.power_w = power.power_w;
    result.stats.energy_j = power.energy_j;
  }
  if (arguments.energy.window_s > 0 && result.mismatches == 0) {
    code = systole_energy_run(&result, &station, &job, c, &arguments.energy);
    if (code != 0) goto done;
  }
  if (arguments.common.json) {
    object = systole_result_json(&result);
    if (object != NULL && power.runs > 0 && !systole_card_energy_json(object, &power)) {
      cJSON_Delete(object);
      object = NULL;
    }
    code = systole_show_json(object);
  } else {
    systole_show_result(&result);
    if (power.runs > 0) systole_card_energy_show(&power);
    systole_energy_show(&result);
    if (arguments.out != NULL && result.mismatches == 0)
      printf("\n  wrote %s\n", arguments.out);
  }
  if (code == 0 && result.mismatches > 0) {
    code = floats ? systole_wrong_float_story(&result, &float_mismatch)
                  : systole_wrong_story(&result, &mismatch, &job);
  }

done:
  cJSON_Delete(object);
  free(c);
  free((void *)epilogue.multiplier);
  free((void *)epilogue.shift);
  systole_samples_free(&samples);
  code = systole_station_finish(&station, code, arguments.common.json);
  systole_output_discard(output);
  systole_operands_free(&operands);
  return code;
}
