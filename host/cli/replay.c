/* systole replay: repeats on one card what another did, and says where they part. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "progress.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"
#include "text.h"

typedef struct replay_arguments {
  systole_common common;
  const char *recording, *device, *wave;
} replay_arguments;

enum { KeyTrace = 2000 };

static const struct argp_option options[] = {
    {"device", 'd', "NAME", 0,
     "Card that repeats it, of the recorded geometry (default rtl:16)", 1},
    {"trace", KeyTrace, "WAVE.fst", 0,
     "When results differ, the waveform around the first difference (simulated cards)",
     1},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
  replay_arguments *arguments = state->input;
  switch (key) {
    case ARGP_KEY_INIT:
      state->child_inputs[0] = &arguments->common;
      return 0;
    case 'd':
      arguments->device = text;
      return 0;
    case KeyTrace:
      arguments->wave = text;
      return 0;
    case ARGP_KEY_ARG:
      if (arguments->recording != NULL) {
        arguments->common.failed = systole_story(
            SYSTOLE_EXIT_USAGE, "one recording at a time; '%s' is too many", text);
        return EINVAL;
      }
      arguments->recording = text;
      return 0;
    default:
      return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp_child children[] = {{&systole_common_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Repeats every transfer and run of a recording (--record FILE of any subcommand "
        "that uses a card) and compares every result. Memory preset, stalls and memory "
        "size are the recorded ones unless given. Exit code 1: a result differs."
        "\vExamples:\n"
        "  systole gemm --device rtl:16 -m 64 -n 64 -k 64 --record run.rec\n"
        "  systole replay run.rec --device rtl:16:readable\n"
        "  systole replay run.rec --device rtl:16 --trace wave.fst",
    .children = children};

static int show_replay_json(const replay_arguments *arguments,
                            const systole_replay_report *r) {
  cJSON *object = cJSON_CreateObject(), *difference = NULL;
  int good = object != NULL &&
             cJSON_AddStringToObject(object, "recording", arguments->recording) != NULL &&
             cJSON_AddStringToObject(object, "recorded_on", r->recorded_on) != NULL &&
             cJSON_AddStringToObject(object, "device", arguments->device) != NULL &&
             cJSON_AddBoolToObject(object, "equal", !r->differs) != NULL &&
             cJSON_AddBoolToObject(object, "cut", r->cut) != NULL &&
             systole_json_u64(object, "runs", r->runs) &&
             systole_json_u64(object, "bytes_compared", r->bytes) &&
             systole_json_u64(object, "cycles", r->cycles) &&
             systole_json_u64(object, "cycles_recorded", r->recorded_cycles);
  if (good && r->differs) {
    good = (difference = cJSON_AddObjectToObject(object, "difference")) != NULL &&
           systole_json_u64(difference, "run", r->run) &&
           cJSON_AddStringToObject(difference, "sentence", r->sentence) != NULL;
    if (good && r->is_memory) {
      good = cJSON_AddStringToObject(difference, "port",
                                     r->port == SYSTOLE_PORT_GMEM0 ? "gmem0" : "gmem1") !=
                 NULL &&
             systole_json_u64(difference, "address", r->address) &&
             systole_json_u64(difference, "offset", r->offset) &&
             systole_json_u64(difference, "wrong_bytes", r->wrong_bytes) &&
             cJSON_AddNumberToObject(difference, "expected", r->expected) != NULL &&
             cJSON_AddNumberToObject(difference, "found", r->found) != NULL;
    }
  }
  if (good && r->wave_cycles > 0) {
    good = cJSON_AddStringToObject(object, "wave", arguments->wave) != NULL &&
           systole_json_u64(object, "wave_first_cycle", r->wave_first_cycle) &&
           systole_json_u64(object, "wave_cycles", r->wave_cycles);
  }
  const int code = systole_show_json(good ? object : NULL);
  cJSON_Delete(object);
  return code;
}

static void show_replay(const replay_arguments *arguments,
                        const systole_replay_report *r) {
  char now[SystoleText], then[SystoleText], bytes[SystoleText];
  printf("%s%s%s   replay of %s, recorded on %s   %s%s%s\n\n", systole_text_bold(),
         arguments->device, systole_text_plain(), arguments->recording, r->recorded_on,
         r->differs ? systole_text_bad() : systole_text_good(),
         r->differs ? "DIFFERS" : "equal", systole_text_plain());
  printf("  runs          %" PRIu64 "%s\n", r->runs,
         r->cut ? ", where the recording reached its limit" : "");
  printf("  compared      %s of results\n", systole_text_bytes(bytes, r->bytes));
  if (r->cycles > 0) {
    printf("  cycles        %s, recorded %s%s\n", systole_text_count(now, r->cycles),
           systole_text_count(then, r->recorded_cycles),
           r->cycles == r->recorded_cycles ? "" : " (timing may differ between cards)");
  }
  if (r->differs) printf("  first         %s\n", r->sentence);
  if (r->wave_cycles > 0) {
    printf("  waveform      %s, %s cycles from cycle %s of run %" PRIu64 " on\n",
           arguments->wave, systole_text_count(now, r->wave_cycles),
           systole_text_count(then, r->wave_first_cycle), r->run);
  } else if (r->differs && arguments->wave == NULL) {
    printf("  look at it    the same command with --trace wave.fst\n");
  }
}

int systole_main_replay(int argc, char **argv) {
  replay_arguments arguments = {.device = "rtl:16"};
  systole_common_init(&arguments.common);
  int code = systole_parse(&parser, "replay", argc, argv, &arguments, &arguments.common);
  if (code != 0) return code;
  if (arguments.recording == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "which recording? systole replay FILE; make one with --record");
  }
  if (arguments.common.device.record_path != NULL) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--record and replay exclude each other: the recording is there");
  }
  if (strncmp(arguments.device, "cpu", 3) == 0) {
    return systole_story(SYSTOLE_EXIT_ABSENT,
                         "device '%s' is no card and cannot repeat what one did; take "
                         "e.g. rtl:16",
                         arguments.device);
  }

  systole_output *output = NULL;
  systole_replay_report report;
  systole_bar bar;
  if (arguments.wave != NULL) {
    if ((code = systole_output_open(&output, arguments.wave)) != 0) goto done;
    if (systole_output_temporary(output) == NULL) {
      code = systole_story(SYSTOLE_EXIT_USAGE,
                           "%s is no regular file, and a waveform is not written in one "
                           "pass",
                           arguments.wave);
      goto done;
    }
    arguments.common.device.trace_path = systole_output_temporary(output);
  }
  systole_bar_start(&bar, arguments.device);
  const systole_status status =
      systole_replay(&report, arguments.recording, arguments.device,
                     &arguments.common.device, systole_bar_update, &bar);
  systole_bar_end(&bar);
  if (status == SYSTOLE_ERR_INTERRUPTED) {
    code = systole_interrupted_story();
  } else if (status == SYSTOLE_ERR_NOT_FOUND) {
    code = systole_story_of(status,
                            "cannot open device '%s' (systole devices lists what "
                            "is here)",
                            arguments.device);
  } else if (status != SYSTOLE_OK) {
    code = systole_story(systole_exit_code(status), "%s", systole_last_error());
  }
  if (code != 0) goto done;
  if (report.wave_cycles > 0) {
    code = systole_output_commit(output);
    output = NULL;
    if (code != 0) goto done;
  }
  if (arguments.common.json) {
    code = show_replay_json(&arguments, &report);
  } else {
    show_replay(&arguments, &report);
  }
  if (code == 0 && report.differs) {
    code = systole_story(SYSTOLE_EXIT_WRONG, "%s%s%s", report.sentence,
                         report.wave_story[0] != '\0' ? "; no waveform: " : "",
                         report.wave_story);
  }

done:
  systole_output_discard(output);
  return code;
}
