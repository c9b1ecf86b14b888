/* --record and systole replay: equal where it is equal, and a sentence where not. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library/recording.h"
#include "spawn.h"
#include "support/random.h"
#include "support/sha256.h"
#include "systole/systole.h"

static char folder[64];
static void make(void) { folder_make(folder); }
static void clean(void) { folder_remove(folder); }
TestSuite(replay, .init = make, .fini = clean, .timeout = 240);

static void expect(spoken said, int code, const char *words) {
  cr_assert_eq(said.code, code, "%d instead of %d: %s", said.code, code, said.error);
  cr_assert_not_null(strstr(said.error, words), "no '%s' in: %s", words, said.error);
  spoken_free(&said);
}

Test(replay, mistakes_get_a_sentence_and_leave_nothing_behind) {
  const char *file = in(folder, "r.rec");
  expect(spawn(NULL, "replay", NULL), 2, "which recording?");
  expect(spawn(NULL, "replay", file, NULL), 2, "cannot be read");
  expect(spawn(NULL, "replay", folder, NULL), 2, "no regular file");
  write_file(file, "", 0);
  expect(spawn(NULL, "replay", file, NULL), 2, "is no recording");
  write_file(file, "SYSTREC\n", 8);
  expect(spawn(NULL, "replay", file, NULL), 2, "cut short");
  expect(spawn(NULL, "replay", file, file, NULL), 2, "too many");
  expect(spawn(NULL, "replay", file, "--record", "x", NULL), 2, "exclude each other");
  expect(spawn(NULL, "replay", file, "--device", "cpu", NULL), 3, "is no card");
  unlink(file);
  expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "2", "-n", "2", "-k", "2", "--record",
               file, NULL),
         3, "nothing to record");
  expect(spawn(NULL, "gemm", "--record-limit", "0", NULL), 2, "--record-limit");
  cr_assert_eq(entries(folder), 0);
}

#ifdef SYSTOLE_TEST_ARRAY
#define GEMM(file) \
  "gemm", "-d", SYSTOLE_TEST_ARRAY, "-m", "13", "-n", "9", "-k", "11", "--record", file
#define REPLAY(file) "replay", file, "-d", SYSTOLE_TEST_ARRAY

static const char *recorded(void) {
  const char *file = in(folder, "run.rec");
  spoken said = spawn(NULL, GEMM(file), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_assert_not_null(strstr(said.out, "recorded 1 run"), "%s", said.out);
  spoken_free(&said);
  return file;
}

Test(replay, places_that_cannot_be_written_are_refused) {
  expect(spawn(NULL, GEMM("/dev/null"), NULL), 2, "no regular file");
  expect(spawn(NULL, GEMM(folder), NULL), 2, "it is a folder");
  expect(spawn(NULL, GEMM("/proc/none/r.rec"), NULL), 2, "cannot be written");
  cr_assert_eq(entries(folder), 0);
}

Test(replay, repeats_what_was_recorded) {
  const char *file = recorded();
  cr_assert_eq(entries(folder), 1, "nothing but the recording");
  spoken said = spawn(NULL, REPLAY(file), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(object, "equal")));
  cr_assert_eq(json_number(object, "runs"), 1);
  cr_assert_geq(json_number(object, "bytes_compared"), 13 * 9 * 4);
  cr_assert_eq(json_number(object, "cycles"), json_number(object, "cycles_recorded"));
  cr_assert_gt(json_number(object, "cycles"), 0);
  cJSON_Delete(object);
  spoken_free(&said);
  /* Nothing differs, so there is no waveform to write. */
  expect(spawn(NULL, REPLAY(file), "--trace", in(folder, "w.fst"), NULL), 0, "");
  cr_assert_eq(entries(folder), 1);
}

Test(replay, records_a_comparison_and_takes_its_memory_from_the_recording) {
  const char *file = in(folder, "c.rec");
  spoken said = spawn(NULL, "compare", "--sizes", "5,8x3x13", "--devices",
                      "cpu," SYSTOLE_TEST_ARRAY, "--memory", "ddr4", "--stalls", "77",
                      "--record", file, "--out", in(folder, "report"), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON_Delete(json_of(&said));
  spoken_free(&said);
  said = spawn(NULL, REPLAY(file), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_assert_eq(json_number(object, "runs"), 2);
  cr_assert_eq(json_number(object, "cycles"), json_number(object, "cycles_recorded"),
               "stalls and memory are those of the recording");
  const double slow = json_number(object, "cycles");
  cJSON_Delete(object);
  spoken_free(&said);
  said = spawn(NULL, REPLAY(file), "--memory", "ideal", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  object = json_of(&said);
  cr_assert_neq(json_number(object, "cycles"), slow,
                "asked for, another memory is taken");
  cJSON_Delete(object);
  spoken_free(&said);
}

/* ---- files that were changed ------------------------------------------------------- */

typedef struct content {
  uint8_t *data;
  size_t bytes;
} content;

static content slurp(const char *path) {
  content c = {malloc(1 << 20), 0};
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file);
  cr_assert_not_null(c.data);
  c.bytes = fread(c.data, 1, 1 << 20, file);
  cr_assert_lt(c.bytes, 1 << 20);
  fclose(file);
  return c;
}

/* As a recorder that really saw this would have written it. */
static void sign_and_write(const char *path, content c) {
  systole_sha256_of(c.data + c.bytes - SYSTOLE_SHA256_BYTES, c.data,
                    c.bytes - SYSTOLE_SHA256_BYTES);
  write_file(path, c.data, c.bytes);
}

/* Offset of the n-th event of a kind, from 0. */
static uint64_t event_at(content c, uint32_t type, int n) {
  const systole_recording view = {.data = c.data, .bytes = c.bytes};
  for (uint64_t at = SYSTOLE_RECORD_MAGIC_BYTES;;) {
    const uint64_t here = at;
    const uint8_t *payload;
    const systole_record_event event = systole_recording_next(&view, &at, &payload);
    if (event.type == type && n-- == 0) return here;
    cr_assert_neq(event.type, SYSTOLE_RECORD_END, "no such event");
  }
}

Test(replay, a_changed_or_shortened_file_is_found) {
  const char *file = recorded(), *other = in(folder, "other.rec");
  content c = slurp(file);
  for (size_t at = 0; at < c.bytes; at += 1 + c.bytes / 97) {
    systole_recording recording;
    c.data[at] ^= 0x10;
    write_file(other, c.data, c.bytes);
    c.data[at] ^= 0x10;
    cr_assert_eq(systole_recording_open(&recording, other), SYSTOLE_ERR_ARGUMENT,
                 "byte %zu", at);
    cr_assert_not_null(strstr(systole_last_error(), other));
    write_file(other, c.data, at);
    cr_assert_eq(systole_recording_open(&recording, other), SYSTOLE_ERR_ARGUMENT,
                 "%zu bytes", at);
  }
  c.data[c.bytes / 2] ^= 1;
  write_file(other, c.data, c.bytes);
  expect(spawn(NULL, REPLAY(other), NULL), 2, "does not match its digest");
  free(c.data);
}

/* A card that stored a wrong byte: run, buffer, address and byte are told. */
Test(replay, a_wrong_result_is_found_and_drawn) {
  const char *file = recorded(), *wave = in(folder, "w.fst");
  content c = slurp(file);
  const uint64_t read = event_at(c, SYSTOLE_RECORD_READ, 0);
  const uint64_t byte = read + SYSTOLE_RECORD_HEADER_BYTES + 37;
  uint64_t address = 0;
  for (int i = 7; i >= 0; i--) address = address << 8 | c.data[read + 8 + (uint64_t)i];
  const int found = c.data[byte];
  c.data[byte] ^= 0x40;
  c.data[byte + 5] ^= 1;
  sign_and_write(file, c);
  spoken said = spawn(NULL, REPLAY(file), "--json", NULL);
  cr_assert_eq(said.code, 1, "%s", said.error);
  cJSON *object = json_of(&said);
  const cJSON *difference = cJSON_GetObjectItem(object, "difference");
  cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(object, "equal")));
  cr_assert_eq(json_number(difference, "run"), 1);
  cr_assert_eq(json_number(difference, "address"), (double)(address + 37));
  cr_assert_eq(json_number(difference, "expected"), found ^ 0x40);
  cr_assert_eq(json_number(difference, "found"), found);
  cr_assert_eq(json_number(difference, "wrong_bytes"), 2);
  cr_assert_not_null(strstr(said.error, "after run 1 of 1, byte"), "%s", said.error);
  cJSON_Delete(object);
  spoken_free(&said);

  said = spawn(NULL, REPLAY(file), "--trace", wave, "--json", NULL);
  cr_assert_eq(said.code, 1, "%s", said.error);
  object = json_of(&said);
  struct stat status;
  cr_assert_eq(stat(wave, &status), 0, "%s", said.error);
  cr_assert_gt(status.st_size, 329);
  cr_assert_gt(json_number(object, "wave_cycles"), 0);
  cJSON_Delete(object);
  spoken_free(&said);
  cr_assert_eq(entries(folder), 2, "recording and waveform");
  free(c.data);
}

Test(replay, another_ending_is_found) {
  const char *file = recorded(), *other = in(folder, "other.rec");
  content c = slurp(file);
  /* The card of the recording failed. */
  const uint64_t done = event_at(c, SYSTOLE_RECORD_DONE, 0);
  c.data[done + 4] = 3;
  sign_and_write(other, c);
  expect(spawn(NULL, REPLAY(other), NULL), 1, "run 1 of 1 ends here and failed");
  c.data[done + 4] = 0;
  /* It was given a program without its END, which fails here. */
  const uint64_t start = event_at(c, SYSTOLE_RECORD_START, 0);
  c.data[start + 4]--;
  sign_and_write(other, c);
  expect(spawn(NULL, REPLAY(other), NULL), 1, "error register");
  free(c.data);
}

Test(replay, another_geometry_is_refused) {
  const char *file = recorded();
  content c = slurp(file);
  const uint64_t open = event_at(c, SYSTOLE_RECORD_OPEN, 0);
  char *json = (char *)c.data + open + SYSTOLE_RECORD_HEADER_BYTES;
  char *registers = strstr(json, "\"registers\":[");
  cr_assert_not_null(registers);
  /* The last digit of the geometry register's number: another log2 of Dim. */
  char *comma = strchr(strchr(strchr(registers, ',') + 1, ',') + 1, ',');
  comma[-1] = comma[-1] == '3' ? '4' : '3';
  sign_and_write(file, c);
  expect(spawn(NULL, REPLAY(file), NULL), 2, "replay it on an array of that size");
  free(c.data);
}

/* Signed nonsense must end in a status, whatever it says. */
Test(replay, nonsense_that_is_signed_does_no_harm) {
  const char *file = recorded(), *other = in(folder, "other.rec");
  content c = slurp(file);
  systole_random random;
  systole_random_seed(&random, 5);
  const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  for (int round = 0; round < 60; round++) {
    uint8_t kept[4];
    size_t at[4];
    for (int i = 0; i < 4; i++) {
      /* Headers, above all: payloads are mostly numbers that change results. */
      at[i] = (size_t)systole_random_below(&random, c.bytes - 32);
      kept[i] = c.data[at[i]];
      c.data[at[i]] = (uint8_t)systole_random_next(&random);
    }
    sign_and_write(other, c);
    systole_replay_report report;
    const systole_status status =
        systole_replay(&report, other, SYSTOLE_TEST_ARRAY, &options, NULL, NULL);
    cr_assert(status == SYSTOLE_OK || systole_last_error()[0] != 0, "round %d", round);
    for (int i = 3; i >= 0; i--) c.data[at[i]] = kept[i];
  }
  free(c.data);
}

/* ---- ends that are not the end ------------------------------------------------------
 */

static systole_device *open_recording(const char *path, uint64_t limit) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = NULL;
  options.record_path = path;
  options.record_bytes = limit;
  cr_assert_eq(systole_device_open(&device, SYSTOLE_TEST_ARRAY, &options), SYSTOLE_OK,
               "%s", systole_last_error());
  return device;
}

static void multiply(systole_device *device) {
  enum { Size = 16 };
  int8_t a[Size * Size], b[Size * Size];
  int32_t c[Size * Size];
  systole_random random;
  systole_random_seed(&random, 1);
  systole_random_int8(&random, a, sizeof a);
  systole_random_int8(&random, b, sizeof b);
  cr_assert_eq(systole_gemm_s8(device, Size, Size, Size, a, Size, b, Size, c, Size, NULL),
               SYSTOLE_OK, "%s", systole_last_error());
}

Test(replay, a_limit_ends_the_recording_and_not_the_run) {
  const char *file = in(folder, "limit.rec");
  systole_device *device = open_recording(file, 16384);
  uint64_t runs = 0;
  int cut = 0;
  for (int i = 0; i < 10; i++) multiply(device);
  cr_assert_eq(systole_device_save_recording(device, &runs, &cut), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_eq(cut, 1);
  cr_assert(runs >= 2 && runs < 10, "%llu runs", (unsigned long long)runs);
  multiply(device);
  cr_assert_eq(systole_device_save_recording(device, &runs, &cut), SYSTOLE_ERR_ARGUMENT);
  systole_device_close(device);
  struct stat status;
  cr_assert_eq(stat(file, &status), 0);
  cr_assert_leq(status.st_size, 16384);
  systole_replay_report report;
  cr_assert_eq(systole_replay(&report, file, SYSTOLE_TEST_ARRAY, NULL, NULL, NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(report.differs, 0, "%s", report.sentence);
  cr_assert_eq(report.cut, 1);
  cr_assert_eq(report.runs, runs);
}

Test(replay, without_saving_there_is_no_file) {
  systole_device *device = open_recording(in(folder, "never.rec"), 0);
  multiply(device);
  systole_device_close(device);
  cr_assert_eq(entries(folder), 0);
}

Test(replay, an_older_file_stays_until_the_new_one_is_whole) {
  const char *file = in(folder, "old.rec");
  write_file(file, "old", 3);
  systole_device *device = open_recording(file, 0);
  multiply(device);
  content c = slurp(file);
  cr_assert_eq(c.bytes, 3);
  free(c.data);
  cr_assert_eq(systole_device_save_recording(device, NULL, NULL), SYSTOLE_OK);
  systole_device_close(device);
  c = slurp(file);
  cr_assert_gt(c.bytes, 3);
  free(c.data);
  cr_assert_eq(entries(folder), 1);
}

Test(replay, a_killed_process_leaves_nothing_behind) {
  const char *file = in(folder, "killed.rec");
  /* Where files cannot be without a name, one with a temporary name stays. */
  const int nameless = open(folder, O_TMPFILE | O_RDWR, 0600);
  if (nameless >= 0) close(nameless);
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    systole_device *device = open_recording(file, 0);
    multiply(device);
    raise(SIGKILL);
  }
  int status = 0;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  cr_assert_eq(exists(file), 0);
  cr_assert_eq(entries(folder), nameless >= 0 ? 0 : 1);
}

Test(replay, an_interrupted_run_is_not_kept) {
  const char *file = in(folder, "i.rec");
  const spawn_options options = {.interrupt_after_ms = 300};
  spoken said = spawn(&options, "gemm", "-d", SYSTOLE_TEST_ARRAY, "-m", "1500", "-n",
                      "1500", "-k", "1500", "--no-check", "--record", file, NULL);
  cr_assert_eq(said.code, 130, "%s", said.error);
  spoken_free(&said);
  cr_assert_eq(entries(folder), 0);
}
#endif
