/* Turns a plan into the order of instructions. */
#ifndef SYSTOLE_PROGRAM_SCHEDULE_H
#define SYSTOLE_PROGRAM_SCHEDULE_H

#include "program/program.h"

/* Fills program->instructions and ->count from its spec and plan. */
systole_status systole_schedule(systole_program *program,
                                const systole_geometry *geometry,
                                const systole_weights_layout *weights);

#endif
