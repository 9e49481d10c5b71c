#pragma once

/// Switches a planted bug on (planted_bugs.cmake numbers them from 1); 0: none. Programs without
/// planted bugs have only 0.
bool switch_planted_bug(int bug);
