/* A scale: reads a number a line from standard input (a serial port, say) and tells gleaner-edge.
 *   cc -O2 -o scale scale.c && ./scale </dev/ttyUSB0          scale PATH: another socket than the
 * usual */
#include "gleaner_sensor.h"

int main(int argc, char** argv) {
  gleaner_sensor out;
  double grams;
  if (gleaner_sensor_open(&out, argc > 1 ? argv[1] : NULL) != 0) {
    perror("scale");
    return 1;
  }
  while (scanf("%lf", &grams) == 1) gleaner_sensor_number(&out, "weight", grams);
  gleaner_sensor_close(&out);
  return 0;
}
