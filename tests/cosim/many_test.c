/* Several devices in one process: in turns, and in threads of their own. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "card/systole_isa.h"
#include "job.h"

static const char *const models[] = {COSIM_MODELS};
enum { MODELS = sizeof models / sizeof models[0], DEVICES = 6 };

Test(many, interleaved_devices_do_not_disturb_each_other) {
  job alone[MODELS], jobs[DEVICES];
  int done[DEVICES] = {0}, left = DEVICES, slices = 0;
  for (int i = 0; i < MODELS; i++) {
    const systole_device_options options = job_options();
    alone[i] = job_open(models[i], &options, 300, 16, 1);
    cr_assert_eq(job_run(&alone[i]), SYSTOLE_OK, "%s", systole_last_error());
  }
  for (int d = 0; d < DEVICES; d++) {
    const systole_device_options options = job_options();
    jobs[d] = job_open(models[d % MODELS], &options, 300, 16, (uint64_t)d + 1);
    job_spoil(&jobs[d]);
    job_start(&jobs[d]);
  }
  while (left > 0) {
    for (int d = 0; d < DEVICES; d++) {
      if (done[d]) continue;
      /* 0 ms: the shortest slice there is. */
      cr_assert_eq(systole_card_rtl.wait(jobs[d].card, 0, &done[d]), SYSTOLE_OK, "%s",
                   systole_last_error());
      left -= done[d];
      slices++;
    }
  }
  cr_expect_gt(slices, 2 * DEVICES, "they really took turns");
  for (int d = 0; d < DEVICES; d++) {
    job_expect_right(&jobs[d]);
    cr_expect_eq(job_counter(&jobs[d], SYSTOLE_COUNTER_CYCLES),
                 job_counter(&alone[d % MODELS], SYSTOLE_COUNTER_CYCLES));
    job_close(&jobs[d]);
  }
  for (int i = 0; i < MODELS; i++) job_close(&alone[i]);
}

typedef struct worker {
  job j;
  systole_status status;
  char story[256];
} worker;

static void *work(void *user) {
  worker *w = user;
  for (int run = 0; run < 5 && !w->status; run++) {
    w->status = systole_card_rtl.start(w->j.card, &w->j.launch);
    if (!w->status) w->status = job_wait(&w->j, 5);
  }
  if (w->status) (void)snprintf(w->story, sizeof w->story, "%s", systole_last_error());
  return NULL;
}

Test(many, devices_run_in_threads_of_their_own) {
  worker workers[DEVICES];
  pthread_t threads[DEVICES];
  for (int d = 0; d < DEVICES; d++) {
    systole_device_options options = job_options();
    options.stall_seed = (uint64_t)d; /* different timing in each */
    workers[d] = (worker){
        job_open(models[d % MODELS], &options, 100, 8, (uint64_t)d + 40), SYSTOLE_OK, ""};
    job_spoil(&workers[d].j);
  }
  for (int d = 0; d < DEVICES; d++) {
    cr_assert_eq(pthread_create(&threads[d], NULL, work, &workers[d]), 0);
  }
  for (int d = 0; d < DEVICES; d++) cr_assert_eq(pthread_join(threads[d], NULL), 0);
  for (int d = 0; d < DEVICES; d++) {
    cr_expect_eq(workers[d].status, SYSTOLE_OK, "device %d: %s", d, workers[d].story);
    job_expect_right(&workers[d].j);
    job_close(&workers[d].j);
  }
}

/* A device opened in one thread may be used and closed in another. */
static void *finish(void *user) {
  worker *w = user;
  w->status = job_wait(&w->j, 100);
  job_close(&w->j);
  return NULL;
}

Test(many, a_device_may_change_its_thread) {
  worker w = {.status = SYSTOLE_OK};
  pthread_t thread;
  const systole_device_options options = job_options();
  w.j = job_open(models[0], &options, 50, 4, 3);
  job_start(&w.j);
  cr_assert_eq(pthread_create(&thread, NULL, finish, &w), 0);
  cr_assert_eq(pthread_join(thread, NULL), 0);
  cr_expect_eq(w.status, SYSTOLE_OK);
}

Test(many, devices_open_and_close_a_hundred_times) {
  for (int i = 0; i < 100; i++) {
    systole_card *card = NULL;
    cr_assert_eq(systole_card_rtl.open(&card, models[i % MODELS], NULL), SYSTOLE_OK, "%s",
                 systole_last_error());
    systole_card_rtl.close(card);
  }
}
