/* systole conv: one convolution on one device, checked and measured; or the layers of a
 * network, one after the other. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise.h"
#include "conv_task.h"
#include "layers.h"
#include "measure.h"
#include "npy.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"

typedef struct conv_arguments {
  systole_common common;
  const char *device, *layers, *input, *weights, *out;
  systole_conv2d conv; /* 0 where a size was not given */
  int has_zero_point;
  systole_conv_extras extras;
  int64_t clamp[2];
  int has_clamp, has_pool_stride;
  uint64_t seed;
  int no_check, repeat;
} conv_arguments;

enum {
  KeyN = 2000,
  KeyHeight,
  KeyWidth,
  KeyChannels,
  KeyOutChannels,
  KeyKernel,
  KeyStride,
  KeyDilation,
  KeyPad,
  KeyGroups,
  KeyZeroPoint,
  KeyInput,
  KeyWeights,
  KeyOut,
  KeySeed,
  KeyBias,
  KeyRequantise,
  KeyRelu,
  KeyClamp,
  KeyResidual,
  KeyPool,
  KeyPoolSize,
  KeyPoolStride,
  KeyPoolPad,
  KeyLayers,
  KeyNoCheck,
  KeyRepeat
};

static const struct argp_option options[] = {
    {"device", 'd', "NAME", 0,
     "Device: rtl:16 (default), rtl:64, cpu, ... (see systole devices)", 1},
    {"n", KeyN, "COUNT", 0, "Images of the batch (default 1)", 2},
    {"height", KeyHeight, "LINES", 0, "Lines of an image", 2},
    {"width", KeyWidth, "COLUMNS", 0, "Columns of an image", 2},
    {"channels", KeyChannels, "COUNT", 0, "Channels of an image", 2},
    {"out-channels", KeyOutChannels, "COUNT", 0, "Channels of the output", 2},
    {"kernel", KeyKernel, "KHxKW", 0, "Kernel, e.g. 3x3 or 3 (default 1x1)", 2},
    {"stride", KeyStride, "SHxSW", 0, "Stride, e.g. 2x1 or 2 (default 1x1)", 2},
    {"dilation", KeyDilation, "DHxDW", 0, "Distance of taps (default 1x1)", 2},
    {"pad", KeyPad, "PADDING", 0,
     "P for all sides, PHxPW, or TOP,BOTTOM,LEFT,RIGHT (default 0)", 2},
    {"groups", KeyGroups, "COUNT", 0,
     "Groups (default 1; as many as channels: depthwise)", 2},
    {"zero-point", KeyZeroPoint, "VALUE", 0,
     "Zero point of the input, which the padding has too (default 0)", 2},
    {"input", KeyInput, "X.npy", 0,
     "Input [n][height][width][channels], int8 or uint8; without it, random", 3},
    {"weights", KeyWeights, "W.npy", 0,
     "Weights [out][kernel height][kernel width][channels / groups], int8; without it, "
     "random",
     3},
    {"out", KeyOut, "Y.npy", 0, "Writes the output, int32 or int8", 3},
    {"seed", KeySeed, "SEED", 0, "Seed of everything random (default 1)", 3},
    {"bias", KeyBias, NULL, 0, "Adds a random bias to each output channel", 4},
    {"requantise", KeyRequantise, NULL, 0,
     "int8 results: random bias, multiplier and shift of each output channel", 4},
    {"relu", KeyRelu, NULL, 0, "Clamps int8 results at 0 from below", 4},
    {"clamp", KeyClamp, "LOW,HIGH", 0, "Clamps int8 results, e.g. 0,96 for a ReLU6", 4},
    {"residual", KeyResidual, NULL, 0, "Adds a random int8 operand of the output's shape",
     4},
    {"pool", KeyPool, "KIND", 0, "max or average, after the epilogue", 4},
    {"pool-size", KeyPoolSize, "KHxKW", 0, "Its window (default 2x2)", 4},
    {"pool-stride", KeyPoolStride, "SHxSW", 0, "Its stride (default: the window)", 4},
    {"pool-pad", KeyPoolPad, "PADDING", 0, "Its padding, as --pad (default 0)", 4},
    {"layers", KeyLayers, "NAME", 0,
     "All layers of a network instead: resnet50, bert-base, mobilenet-v1, mobilenet-v2, "
     "inception-v1, resnet50-299, tpu-mlp0 ... tpu-cnn1, or a table like "
     "host/cli/layers/resnet50.csv",
     5},
    {"no-check", KeyNoCheck, NULL, 0, "Does not compare the result with the CPU's", 6},
    {"repeat", KeyRepeat, "COUNT", 0,
     "Timed runs; the median is shown (default: 1 on simulated devices, for a second on "
     "others)",
     6},
    {0}};

/* "3x5", or "3" for both. */
static int parse_pair(int64_t *first, int64_t *second, const char *text,
                      const char *what) {
  char left[32];
  const char *cross = strchr(text, 'x');
  const size_t length = cross != NULL ? (size_t)(cross - text) : strlen(text);
  if (length >= sizeof left) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s is '%s'; write it as 3x3 or 3", what,
                         text);
  }
  memcpy(left, text, length);
  left[length] = '\0';
  int code = systole_parse_size(first, left, what);
  if (code == 0) {
    code = systole_parse_size(second, cross != NULL ? cross + 1 : left, what);
  }
  return code;
}

/* "1", "1x2" or "top,bottom,left,right". */
static int parse_sides(int64_t *top, int64_t *bottom, int64_t *left, int64_t *right,
                       const char *text, const char *what) {
  int64_t *const sides[] = {top, bottom, left, right};
  if (strchr(text, ',') == NULL) {
    const int code = parse_pair(top, left, text, what);
    *bottom = *top;
    *right = *left;
    return code;
  }
  const char *cursor = text;
  for (int i = 0; i < 4; i++) {
    char one[32];
    const size_t length = strcspn(cursor, ",");
    if (length >= sizeof one || (cursor[length] == ',') != (i < 3)) {
      return systole_story(SYSTOLE_EXIT_USAGE,
                           "%s is '%s'; it takes one number, PHxPW, or four: "
                           "TOP,BOTTOM,LEFT,RIGHT",
                           what, text);
    }
    memcpy(one, cursor, length);
    one[length] = '\0';
    const int code = systole_parse_size(sides[i], one, what);
    if (code != 0) return code;
    cursor += length + (i < 3);
  }
  return 0;
}

/* -128 ... 127, as `count` numbers with commas between. */
static int parse_int8(int64_t *out, int count, const char *text, const char *what) {
  const char *cursor = text;
  for (int i = 0; i < count; i++) {
    char *end = NULL;
    errno = 0;
    const long value = strtol(cursor, &end, 10);
    const char expected = i + 1 < count ? ',' : '\0';
    if (end == cursor || *end != expected || errno != 0 || value < -128 || value > 127) {
      return systole_story(
          SYSTOLE_EXIT_USAGE, "%s is '%s'; it takes %s from -128 to 127", what, text,
          count == 1 ? "a whole number" : "two whole numbers, LOW,HIGH,");
    }
    out[i] = value;
    cursor = end + 1;
  }
  return 0;
}

static int parse_pool(systole_conv2d *conv, const char *text) {
  if (strcmp(text, "max") == 0) {
    conv->pool = SYSTOLE_POOLING_MAX;
  } else if (strcmp(text, "average") == 0) {
    conv->pool = SYSTOLE_POOLING_AVERAGE;
  } else {
    return systole_story(SYSTOLE_EXIT_USAGE, "--pool is '%s'; there are max and average",
                         text);
  }
  return 0;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  conv_arguments *a = state->input;
  systole_conv2d *c = &a->conv;
  uint64_t value = 0;
  int64_t number = 0;
  int code = 0;
  switch (key) {
    case ARGP_KEY_INIT:
      state->child_inputs[0] = &a->common;
      break;
    case 'd':
      a->device = text;
      break;
    case KeyN:
      code = systole_parse_size(&c->batch, text, "--n");
      break;
    case KeyHeight:
      code = systole_parse_size(&c->height, text, "--height");
      break;
    case KeyWidth:
      code = systole_parse_size(&c->width, text, "--width");
      break;
    case KeyChannels:
      code = systole_parse_size(&c->channels, text, "--channels");
      break;
    case KeyOutChannels:
      code = systole_parse_size(&c->out_channels, text, "--out-channels");
      break;
    case KeyKernel:
      code = parse_pair(&c->kernel_height, &c->kernel_width, text, "--kernel");
      if (code == 0 && (c->kernel_height < 1 || c->kernel_width < 1)) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--kernel is '%s'; it must be at least 1", text);
      }
      break;
    case KeyStride:
      code = parse_pair(&c->stride_height, &c->stride_width, text, "--stride");
      break;
    case KeyDilation:
      code = parse_pair(&c->dilation_height, &c->dilation_width, text, "--dilation");
      break;
    case KeyPad:
      code = parse_sides(&c->pad_top, &c->pad_bottom, &c->pad_left, &c->pad_right, text,
                         "--pad");
      break;
    case KeyGroups:
      code = systole_parse_size(&c->groups, text, "--groups");
      break;
    case KeyZeroPoint:
      code = parse_int8(&number, 1, text, "--zero-point");
      c->input_zero_point = (int8_t)number;
      a->has_zero_point = 1;
      break;
    case KeyInput:
      a->input = text;
      break;
    case KeyWeights:
      a->weights = text;
      break;
    case KeyOut:
      a->out = text;
      break;
    case KeySeed:
      code = systole_parse_u64(&a->seed, text, "--seed");
      break;
    case KeyBias:
      a->extras.bias = 1;
      break;
    case KeyRequantise:
      a->extras.requantise = 1;
      break;
    case KeyRelu:
      a->extras.relu = 1;
      break;
    case KeyClamp:
      code = parse_int8(a->clamp, 2, text, "--clamp");
      a->has_clamp = 1;
      break;
    case KeyResidual:
      a->extras.residual = 1;
      break;
    case KeyPool:
      code = parse_pool(c, text);
      break;
    case KeyPoolSize:
      code = parse_pair(&c->pool_height, &c->pool_width, text, "--pool-size");
      break;
    case KeyPoolStride:
      code = parse_pair(&c->pool_stride_height, &c->pool_stride_width, text,
                        "--pool-stride");
      a->has_pool_stride = 1;
      break;
    case KeyPoolPad:
      code = parse_sides(&c->pool_pad_top, &c->pool_pad_bottom, &c->pool_pad_left,
                         &c->pool_pad_right, text, "--pool-pad");
      break;
    case KeyLayers:
      a->layers = text;
      break;
    case KeyNoCheck:
      a->no_check = 1;
      break;
    case KeyRepeat:
      code = systole_parse_u64(&value, text, "--repeat");
      if (code == 0 && (value < 1 || value > 100000)) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--repeat is %s; 1 to 100000 make sense",
                             text);
      }
      a->repeat = (int)value;
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  if (code != 0) {
    a->common.failed = code;
    return EINVAL;
  }
  return 0;
}

static const struct argp_child children[] = {{&systole_common_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Convolves images [n][height][width][channels] with weights "
        "[out][kernel height][kernel width][channels / groups], int8 x int8 -> int32, "
        "exactly modulo 2^32, on one device; compares the result with the CPU's and "
        "shows "
        "what the run did."
        "\vExamples:\n"
        "  systole conv --device rtl:16 --height 56 --width 56 --channels 64 "
        "--out-channels 64 --kernel 3x3 --pad 1\n"
        "  systole conv --input X.npy --weights W.npy --stride 2 --pad 3 --out Y.npy "
        "--json\n"
        "  systole conv --device rtl:16 --layers resnet50",
    .children = children};

/* ---- operands ------------------------------------------------------------------- */

/* A size from a file against one from the command line. */
static int agree(int64_t *size, int64_t found, const char *option, const char *path) {
  if (*size != 0 && *size != found) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s is %" PRId64 " and %s has %" PRId64
                         ": leave one of them out",
                         option, *size, path, found);
  }
  *size = found;
  return 0;
}

static int read_input(systole_conv_task *task, conv_arguments *a) {
  systole_tensor x = {0};
  systole_conv2d *c = &task->conv;
  int code = systole_npy_read_tensor(&x, a->input, 4);
  if (code != 0) return code;
  task->input = x.data;
  if (x.type != SYSTOLE_TYPE_S8 && x.type != SYSTOLE_TYPE_U8) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s holds %s; a convolution takes int8 or uint8", a->input,
                         systole_type_name(x.type));
  }
  code = agree(&c->batch, x.shape[0], "--n", a->input);
  if (code == 0) code = agree(&c->height, x.shape[1], "--height", a->input);
  if (code == 0) code = agree(&c->width, x.shape[2], "--width", a->input);
  if (code == 0) code = agree(&c->channels, x.shape[3], "--channels", a->input);
  if (code != 0 || x.type == SYSTOLE_TYPE_S8) return code;
  /* uint8 moved by 128; so is its zero point, 0, and the results are the same. */
  if (a->has_zero_point) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--zero-point belongs to int8 inputs; %s holds uint8, whose zero "
        "point is 0",
        a->input);
  }
  const int64_t count = x.shape[0] * x.shape[1] * x.shape[2] * x.shape[3];
  for (int64_t i = 0; i < count; i++) {
    task->input[i] = (int8_t)((uint8_t)task->input[i] ^ 0x80);
  }
  c->input_zero_point = -128;
  return 0;
}

static int read_weights(systole_conv_task *task, const conv_arguments *a) {
  systole_tensor w = {0};
  systole_conv2d *c = &task->conv;
  int code = systole_npy_read_tensor(&w, a->weights, 4);
  if (code != 0) return code;
  task->weights = w.data;
  if (w.type != SYSTOLE_TYPE_S8) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s holds %s; weights are int8", a->weights,
                         systole_type_name(w.type));
  }
  code = agree(&c->out_channels, w.shape[0], "--out-channels", a->weights);
  if (code == 0) {
    code = agree(&c->kernel_height, w.shape[1], "--kernel's height", a->weights);
  }
  if (code == 0) {
    code = agree(&c->kernel_width, w.shape[2], "--kernel's width", a->weights);
  }
  const int64_t groups = c->groups > 0 ? c->groups : 1;
  if (code == 0 && c->channels == 0) c->channels = groups * w.shape[3];
  if (code == 0 && c->channels != groups * w.shape[3]) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "%s has %" PRId64 " channels for each of %" PRId64
                         " group(s), and the input has %" PRId64,
                         a->weights, w.shape[3], groups, c->channels);
  }
  return code;
}

static int missing(const systole_conv2d *c) {
  const struct {
    int64_t value;
    const char *option;
  } needed[] = {{c->height, "--height"},
                {c->width, "--width"},
                {c->channels, "--channels"},
                {c->out_channels, "--out-channels"}};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
    if (needed[i].value != 0) continue;
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s is missing or 0: give the sizes, or --input X.npy and "
                         "--weights W.npy",
                         needed[i].option);
  }
  return 0;
}

/* What is given and what is not fits together. */
static int check_arguments(conv_arguments *a) {
  const systole_conv2d *c = &a->conv;
  if (a->layers != NULL &&
      (a->input != NULL || a->weights != NULL || a->out != NULL || c->height != 0 ||
       c->width != 0 || c->channels != 0 || c->out_channels != 0)) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--layers says all sizes; leave the others and files out");
  }
  if (a->common.device.timing_only &&
      (a->input != NULL || a->weights != NULL || a->out != NULL)) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--no-data computes nothing, so %s has no meaning: give sizes "
                         "alone",
                         a->input != NULL     ? "--input"
                         : a->weights != NULL ? "--weights"
                                              : "--out");
  }
  a->extras.no_data = a->common.device.timing_only;
  const int needs_int8 = a->extras.relu || a->extras.residual || a->has_clamp ||
                         c->pool != SYSTOLE_POOLING_NONE;
  if (needs_int8 && !a->extras.requantise && a->layers == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "%s work(s) on int8 results: add --requantise",
                         a->extras.relu       ? "--relu"
                         : a->extras.residual ? "--residual"
                         : a->has_clamp       ? "--clamp"
                                              : "--pool");
  }
  return 0;
}

static void set_defaults(systole_conv2d *c, const conv_arguments *a) {
  if (c->batch == 0) c->batch = 1;
  if (c->kernel_height == 0 && c->kernel_width == 0) {
    c->kernel_height = c->kernel_width = 1;
  }
  if (c->pool != SYSTOLE_POOLING_NONE && !a->has_pool_stride) {
    c->pool_stride_height = c->pool_height;
    c->pool_stride_width = c->pool_width;
  }
}

static int make_task(systole_conv_task *task, conv_arguments *a) {
  const systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  task->conv = a->conv;
  task->epilogue = epilogue;
  if (a->has_clamp) {
    task->epilogue.clamp_low = (int8_t)a->clamp[0];
    task->epilogue.clamp_high = (int8_t)a->clamp[1];
  }
  int code = 0;
  task->no_data = a->extras.no_data;
  if (a->input != NULL) code = read_input(task, a);
  if (code == 0 && a->weights != NULL) code = read_weights(task, a);
  if (code != 0) return code;
  set_defaults(&task->conv, a);
  if ((code = missing(&task->conv)) != 0) return code;
  code = systole_conv_task_size(task, a->extras.requantise);
  return code == 0 ? systole_conv_task_draw(task, &a->extras, a->seed) : code;
}

/* ---- the run -------------------------------------------------------------------- */

static int write_output(systole_output *output, const systole_conv_task *task,
                        void *data) {
  const systole_tensor tensor = {
      systole_conv_task_is_s8(task) ? SYSTOLE_TYPE_S8 : SYSTOLE_TYPE_S32,
      {task->conv.batch, task->out_height, task->out_width, task->conv.out_channels},
      data};
  systole_npy_write_tensor(systole_output_file(output), &tensor, 4);
  return systole_output_commit(output);
}

static int run_one(conv_arguments *a, const char *line) {
  systole_conv_task task = {0};
  systole_output *output = NULL;
  systole_station station = {0};
  systole_samples samples = {0};
  systole_result result = {.workload = "conv"};
  systole_mismatch mismatch = {0};
  systole_bar bar;
  void *y = NULL, *expected = NULL;
  cJSON *object = NULL;

  int code = make_task(&task, a);
  if (code == 0 && a->out != NULL) code = systole_output_open(&output, a->out);
  if (code == 0) code = systole_station_open(&station, a->device, &a->common.device);
  if (code != 0) goto done;
  const int timing_only = systole_device_timing_only(station.device);
  if (timing_only && a->out != NULL) { /* data=0 in the device's name */
    code =
        systole_story(SYSTOLE_EXIT_USAGE,
                      "%s computes nothing, so there is no result for --out", a->device);
    goto done;
  }
  if (!timing_only) {
    y = malloc(systole_conv_task_bytes(&task) + 1);
    expected = malloc(systole_conv_task_bytes(&task) + 1);
  }
  if (!timing_only && (y == NULL || expected == NULL)) {
    code = systole_story_errno(ENOMEM, "cannot hold the result");
    goto done;
  }
  systole_bar_start(&bar, a->device);
  systole_device_set_progress(station.device, systole_bar_update, &bar);
  code = systole_conv_task_measure(&samples, &station, &task, y, a->repeat, 1.0);
  systole_device_set_progress(station.device, NULL, NULL);
  systole_bar_end(&bar);
  if (code != 0) goto done;
  systole_conv_task_summarise(&result, &station, &task, &samples);
  result.has_seed = !timing_only && (a->input == NULL || a->weights == NULL);
  result.seed = a->seed;
  if (!a->no_check && !timing_only) {
    const char *by = NULL;
    code = systole_conv_task_solve(expected, &by, &task, a->device, SystoleCheckThorough);
    if (code != 0) goto done;
    systole_conv_task_compare(&result, &mismatch, &task, y, expected, by);
  }
  if (systole_interrupted()) {
    code = systole_interrupted_story();
    goto done;
  }
  if (output != NULL && result.mismatches == 0) {
    code = write_output(output, &task, y);
    output = NULL;
    if (code != 0) goto done;
  }
  systole_advise_conv(&result, &task.conv, &a->common.device, line);
  if (a->common.json) {
    object = systole_result_json(&result);
    code = systole_show_json(object);
  } else {
    systole_show_result(&result);
    if (a->out != NULL && result.mismatches == 0) printf("\n  wrote %s\n", a->out);
  }
  if (code == 0 && result.mismatches > 0) {
    code = systole_conv_wrong_story(&result, &mismatch, &task);
  }

done:
  cJSON_Delete(object);
  free(expected);
  free(y);
  systole_samples_free(&samples);
  code = systole_station_finish(&station, code, a->common.json);
  systole_output_discard(output);
  systole_conv_task_free(&task);
  return code;
}

/* The command as it was typed, as far as there is room. */
static void join(char *line, size_t bytes, int argc, char **argv) {
  size_t used = (size_t)snprintf(line, bytes, "conv");
  for (int i = 1; i < argc && used < bytes; i++) {
    if (strcmp(argv[i], "--json") == 0) continue;
    used += (size_t)snprintf(line + used, bytes - used, " %s", argv[i]);
  }
}

int systole_main_conv(int argc, char **argv) {
  const systole_conv2d initial = SYSTOLE_CONV2D_INIT;
  conv_arguments a = {.device = "rtl:16", .conv = initial, .seed = 1};
  a.conv.batch = a.conv.kernel_height = a.conv.kernel_width = 0; /* not given */
  a.conv.pool_height = a.conv.pool_width = 2;
  char line[256];
  join(line, sizeof line, argc, argv);
  systole_common_init(&a.common);
  int code = systole_parse(&parser, "conv", argc, argv, &a, &a.common);
  if (code == 0) code = check_arguments(&a);
  if (code != 0) return code;
  if (a.layers == NULL) return run_one(&a, line);
  const systole_layers_request request = {a.layers, a.device, &a.common,
                                          a.seed,   a.repeat, a.no_check};
  return systole_layers_run(&request);
}
