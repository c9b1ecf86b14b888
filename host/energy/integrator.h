/* Energy of something that only tells its power: a thread of its own looks now and then,
 * and the power between two looks is taken for their mean. */
#ifndef SYSTOLE_ENERGY_INTEGRATOR_H
#define SYSTOLE_ENERGY_INTEGRATOR_H

typedef struct systole_integrator systole_integrator;

/* One look; 0 when it could not be read. Called from one thread at a time. */
typedef int (*systole_integrator_read)(void *user, double *watts);

typedef struct systole_integral {
  int samples, unread; /* good looks and others, both ends included */
  double wall_s, joules;
} systole_integral;

/* NULL: no memory is left. */
systole_integrator *systole_integrator_open(systole_integrator_read read, void *user,
                                            int period_ms);
void systole_integrator_close(systole_integrator *integrator);

/* Looks, and starts the thread; a second begin starts over. 0: there is no thread. */
int systole_integrator_begin(systole_integrator *integrator);

/* Stops the thread, looks once more, and tells what was found since begin. */
void systole_integrator_end(systole_integrator *integrator, systole_integral *out);

#endif
