"""
Test
====

Example.
"""

import matplotlib.pyplot as plt

plt.plot([0, 1])
print("x")
