// Moments, relative to now.
export function refreshTimes(_within = document) {}
