/* A kernel that is broken on purpose (broken/systole.sv): whatever the RTL does, the
 * caller gets a status with a story, the process lives, and other devices are not
 * touched. */
/* mkdtemp, setenv. */
#define _POSIX_C_SOURCE 200809L
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/rtl/rtl.h"

/* The stand-in does what the number of instructions says. */
enum {
  GOOD = 1,
  FAIL_ASSERTION,
  CALL_FATAL,
  CALL_FINISH,
  DROP_VALID,
  CROSS_4K,
  DONE_TOO_EARLY,
  LOOK_AT_INPUT,
  NEVER_DONE,
  NOT_CONVERGE,
  BAD_LAST,
  NO_DONE_BIT
};

static systole_card *open_broken(systole_device_options *options) {
  systole_card *card = NULL;
  options->check_protocol = 1;
  cr_assert_eq(setenv("SYSTOLE_RTL_PATH", COSIM_BROKEN_FOLDER, 1), 0);
  cr_assert_eq(systole_card_rtl.open(&card, "2", options), SYSTOLE_OK, "%s",
               systole_last_error());
  return card;
}

/* Runs the stand-in in mode `what` and returns the first status that is not good. */
static systole_status run(systole_card *card, uint32_t what) {
  uint64_t address = 0;
  int done = 0;
  cr_assert_eq(systole_card_rtl.alloc(card, SYSTOLE_PORT_GMEM0, 16384, &address),
               SYSTOLE_OK);
  const systole_launch launch = {0, 0, address, what};
  systole_status status = systole_card_rtl.start(card, &launch);
  while (!status && !done) status = systole_card_rtl.wait(card, 20, &done);
  systole_card_rtl.free(card, SYSTOLE_PORT_GMEM0, address);
  return status;
}

static void expect_story(uint32_t what, systole_status status, const char *story) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.timeout_ms = 200;
  systole_card *card = open_broken(&options);
  cr_assert_eq(run(card, GOOD), SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_eq(run(card, what), status, "%s", systole_last_error());
  cr_expect_not_null(strstr(systole_last_error(), story), "\"%s\" is not in \"%s\"",
                     story, systole_last_error());
  int done = 0;
  cr_expect_eq(systole_card_rtl.wait(card, 1, &done), status, "the failure stays");
  cr_expect_eq(systole_card_rtl.reset(card), SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_eq(run(card, GOOD), SYSTOLE_OK, "after reset: %s", systole_last_error());
  systole_card_rtl.close(card);
}

Test(broken, assertion_names_its_module_and_rule) {
  expect_story(FAIL_ASSERTION, SYSTOLE_ERR_DEVICE, "systole.u_inner.CountIsNeverTwo");
}

Test(broken, fatal_is_a_status) {
  expect_story(CALL_FATAL, SYSTOLE_ERR_DEVICE, "the kernel has had enough");
}

Test(broken, finish_is_a_status) {
  expect_story(CALL_FINISH, SYSTOLE_ERR_DEVICE, "$finish");
}

Test(broken, a_dropped_valid_is_noticed) {
  expect_story(DROP_VALID, SYSTOLE_ERR_DEVICE, "ValidHeldUntilReady");
}

Test(broken, a_burst_across_4_kib_is_noticed) {
  expect_story(CROSS_4K, SYSTOLE_ERR_DEVICE, "BurstWithin4KiB");
}

Test(broken, done_before_the_last_answer_is_noticed) {
  expect_story(DONE_TOO_EARLY, SYSTOLE_ERR_DEVICE, "DrainedWhenDone");
}

Test(broken, an_output_that_depends_on_an_input_is_noticed) {
  expect_story(LOOK_AT_INPUT, SYSTOLE_ERR_DEVICE, "OutputsAreRegistered");
}

Test(broken, a_misplaced_last_is_noticed) {
  expect_story(BAD_LAST, SYSTOLE_ERR_DEVICE, "LastOnLastBeat");
}

Test(broken, silence_without_an_error_code_times_out) {
  expect_story(NEVER_DONE, SYSTOLE_ERR_TIMEOUT, "moved no data for 200 ms");
}

Test(broken, an_interrupt_without_done_is_noticed) {
  expect_story(NO_DONE_BIT, SYSTOLE_ERR_DEVICE, "without done");
}

/* Logic that does not settle ends the evaluation by an exception; the model is made anew.
 */
Test(broken, logic_that_does_not_settle_is_a_status) {
  expect_story(NOT_CONVERGE, SYSTOLE_ERR_DEVICE, "did not converge");
}

Test(broken, one_broken_device_leaves_others_alone) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_card *good = open_broken(&options);
  systole_card *bad = open_broken(&options);
  cr_expect_eq(run(bad, FAIL_ASSERTION), SYSTOLE_ERR_DEVICE);
  cr_expect_eq(run(good, GOOD), SYSTOLE_OK, "%s", systole_last_error());
  systole_card_rtl.close(bad);
  cr_expect_eq(run(good, GOOD), SYSTOLE_OK, "%s", systole_last_error());
  systole_card_rtl.close(good);
}

/* A library that is no model, or of another version, is a sentence. */
Test(broken, a_library_that_is_no_model_is_refused) {
  systole_card *card = NULL;
  char folder[] = "/tmp/systole-no-model-XXXXXX";
  char path[64];
  cr_assert_not_null(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/libsystole_rtl_256.so", folder);
  FILE *file = fopen(path, "w");
  cr_assert_not_null(file);
  cr_assert_gt(fprintf(file, "no library\n"), 0);
  cr_assert_eq(fclose(file), 0);
  cr_assert_eq(setenv("SYSTOLE_RTL_PATH", folder, 1), 0);
  cr_expect_eq(systole_card_rtl.open(&card, "256", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_not_null(strstr(systole_last_error(), path), "%s", systole_last_error());
  cr_expect_null(card);
  cr_expect_eq(remove(path), 0);
  cr_expect_eq(rmdir(folder), 0);
}
