// Statistics that a few wild values do not move.
#pragma once

#include <vector>

namespace sbx {

double median_of(std::vector<double> values);  // of none: 0

// How far from their middle they usually are: the median of the distances from the median, as a standard
// deviation would be of normal ones (times 1.4826; Rousseeuw and Croux, 1993).
struct Usual {
  double median = 0;
  double deviation = 0;
};
Usual usual_of(const std::vector<double>& values);

// That of `trials`, each with this probability, `successes` or more succeed.
double binomial_tail(unsigned successes, unsigned trials, double probability);

}  // namespace sbx
