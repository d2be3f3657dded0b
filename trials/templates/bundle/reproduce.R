# Compute reported numbers of this bundle again, from its tables alone, in base R with pROC, and compare; those of
# survival with the package survival, where it is installed.
#
#   Rscript reproduce.R
#
# Exits 0 if every number that is computed here agrees within 1e-6 (absolute below 1, relative above), else 1. Mixed
# models, bootstrap intervals, U-statistics and agreement are not computed here; they are listed at the end, and
# reproduce.py computes them. The multi-reader analysis follows Obuchowski and Rockette (1995) with the degrees of freedom
# of Hillis (2007).

suppressPackageStartupMessages(library(pROC))

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(script)) dirname(normalizePath(script)) else "."
tolerance <- 1e-6

# A cell that a spreadsheet would run as a formula stands in the files with an apostrophe before it.
as_it_was <- function(text) sub("^'('*[-=+@\t\r])", "\\1", text)
read_table <- function(name) {
  table <- read.csv(file.path(folder, name), colClasses = "character", na.strings = character(), check.names = FALSE,
                    encoding = "UTF-8")
  names(table) <- as_it_was(names(table))
  table[] <- lapply(table, as_it_was)
  table
}
number <- function(text) suppressWarnings(as.numeric(text))

reported <- read_table("numbers.csv")
reported$value <- number(reported$value)
reported$computed <- NA_real_
parameters <- read_table("parameters.csv")
inputs <- read_table("inputs.csv")
parts_of_readings <- read_table("parts.csv")

setting <- function(analysis, name) {
  found <- parameters$value[parameters$analysis == analysis & parameters$parameter == name]
  if (length(found)) found else ""
}

# Put what was computed beside what was reported: named fields of one number of an analysis.
put <- function(analysis, quantity, subject, ...) {
  fields <- list(...)
  for (field in names(fields)) {
    rows <- reported$analysis == analysis & reported$quantity == quantity & reported$subject == subject &
      reported$field == field
    reported$computed[rows] <<- fields[[field]]
  }
}
subjects <- function(analysis, quantity) {
  unique(reported$subject[reported$analysis == analysis & reported$quantity == quantity])
}
# "participant=A;condition=aided" as a named vector.
parts <- function(subject) {
  if (subject == "") return(character())
  pairs <- strsplit(subject, ";", fixed = TRUE)[[1]]
  setNames(sub("^[^=]*=", "", pairs), sub("=.*$", "", pairs))
}
of_subject <- function(rows, subject) {
  wanted <- parts(subject)
  for (name in intersect(names(wanted), names(rows))) rows <- rows[rows[[name]] == wanted[[name]], ]
  rows
}
has_word <- function(flags, word) vapply(strsplit(flags, " ", fixed = TRUE), function(w) word %in% w, logical(1))
first_readings <- function(rows) rows[rows$repeat_number == "" | number(rows$repeat_number) == 1, ]
describe <- function(values, divisor_less = 1) {
  values <- values[!is.na(values)]
  n <- length(values)
  quartiles <- quantile(values, c(0.25, 0.5, 0.75), names = FALSE, type = 7)
  list(mean = mean(values), sd = sqrt(sum((values - mean(values))^2) / (n - divisor_less)), median = quartiles[2],
       q1 = quartiles[1], q3 = quartiles[3], iqr = quartiles[3] - quartiles[1], n = n)
}

all_readings <- read_table("readings.csv")
names(all_readings)[names(all_readings) == "repeat"] <- "repeat_number"
# The readings of an analysis's set and part: deviations take readings out of the per-protocol set; a covariate of the
# cases stands with the reference standard; an algorithm that has no group or condition of its own stays.
readings_of <- function(analysis) {
  rows <- all_readings
  wanted <- parts_of_readings[parts_of_readings$analysis == analysis, ]
  for (i in seq_len(nrow(wanted))) {
    column <- wanted$column[i]
    if (column %in% names(rows)) {
      fixed <- rows$participant_kind == "algorithm" & rows[[column]] == ""
      rows <- rows[rows[[column]] == wanted$value[i] | fixed, ]
    } else {
      truth <- read_table("truth.csv")
      rows <- rows[rows$case %in% truth$case[truth[[column]] == wanted$value[i]], ]
    }
  }
  if (setting(analysis, "analysis_set") != "per_protocol") return(rows)
  rows[!grepl("(^| )not_per_protocol(:|$| )", rows$flags), ]
}

# ---------------------------------------------------------------- preference

preference <- function(analysis) {
  readings <- readings_of(analysis)
  rows <- first_readings(readings[readings$participant_kind != "algorithm" & readings$task %in% c("", "preference"), ])
  own <- setting(analysis, "algorithm")
  is_own <- function(source) if (own != "") source == own else grepl("^(algorithm|ai)($|[^A-Za-z0-9])", source, TRUE)
  recorded <- rows$left_source != "" & rows$right_source != ""
  rows <- rows[!recorded | is_own(rows$left_source) != is_own(rows$right_source), ]
  assessed <- !has_word(rows$flags, "not_assessable") & rows$preferred != "not_assessable"
  answered <- rows[assessed & rows$preferred != "", ]
  people <- unique(rows$participant)
  count <- function(person, which) sum(which[answered$participant == person])
  algorithm <- vapply(people, count, numeric(1), is_own(answered$preferred))
  none <- vapply(people, count, numeric(1), answered$preferred == "none")
  n <- vapply(people, count, numeric(1), rep(TRUE, nrow(answered)))
  score <- ifelse(n > 0, 100 * algorithm / n, NA)
  group <- rows$group[match(people, rows$participant)]
  for (i in seq_along(people)) {
    clear <- n[i] - none[i]
    p <- if (clear > 0) min(1, 2 * pbinom(min(algorithm[i], clear - algorithm[i]), clear, 0.5)) else NA
    put(analysis, "preference_score", paste0("participant=", people[i]), value = score[i], pvalue = p, n = n[i])
  }
  for (name in c("mean", "sd", "median", "q1", "q3", "iqr")) {
    quantity <- paste0("preference_score.", name)
    put(analysis, quantity, "", value = describe(score)[[name]], n = sum(n > 0))
    for (one in unique(group)) {
      put(analysis, quantity, paste0("group=", one), value = describe(score[group == one])[[name]])
    }
  }
  put(analysis, "preference_probability.bootstrap", "", value = 100 * (sum(algorithm) + sum(none) / 2) / sum(n),
      n = sum(n))
  # Distances from one half as whole numbers of one scale, so that equal ones are ties exactly.
  distance <- round((2 * algorithm[n > 0] + none[n > 0] - n[n > 0]) / n[n > 0], 12)
  if (any(distance != 0)) {
    nonzero <- distance[distance != 0]
    exact <- length(nonzero) == length(distance) && !anyDuplicated(abs(nonzero)) && length(nonzero) <= 50
    ranks <- rank(abs(nonzero))
    test <- suppressWarnings(wilcox.test(nonzero, exact = exact, correct = FALSE))
    smaller <- min(sum(ranks[nonzero > 0]), sum(ranks[nonzero < 0]))
    put(analysis, "preference_score.wilcoxon", "", value = smaller, statistic = smaller, pvalue = test$p.value,
        n = length(distance))
  }
  time <- setting(analysis, "primary_time")
  if (time %in% names(rows)) {
    told <- describe(number(rows[[time]]))
    for (name in c("median", "q1", "q3")) {
      put(analysis, paste0("reading_time.", name), "", value = told[[name]], n = told$n)
    }
  }
}

# ---------------------------------------------------------------- reading time

reading_time <- function(analysis) {
  if (setting(analysis, "missing") == "listwise") return(invisible())
  task <- setting(analysis, "task")
  readings <- readings_of(analysis)
  rows <- if (task == "") readings else readings[readings$task %in% c("", task), ]
  rows <- first_readings(rows[!has_word(rows$flags, "incremental"), ])
  rows$participant_kind[rows$participant_kind == ""] <- "reader"
  for (subject in subjects(analysis, "time.mean")) {
    told <- describe(number(of_subject(rows, subject)[[setting(analysis, "time")]]),
                     number(setting(analysis, "ddof")))
    for (name in c("mean", "sd", "median", "q1", "q3", "iqr")) {
      put(analysis, paste0("time.", name), subject, value = told[[name]], n = told$n)
    }
  }
}

# ---------------------------------------------------------------- accuracy

# First readings of the task with a final reference standard; NULL where cases have several items.
scored <- function(analysis) {
  truth <- read_table("truth.csv")
  task <- setting(analysis, "task")
  readings <- readings_of(analysis)
  rows <- first_readings(if (task == "") readings else readings[readings$task %in% c("", task), ])
  if (any(truth$item != "") || any(tapply(rows$item, rows$case, function(x) length(unique(x))) > 1)) return(NULL)
  rows$truth <- number(truth$truth[match(rows$case, truth$case)])
  rows <- rows[!is.na(rows$truth), ]
  rows$score <- number(rows$score)
  rows$decision <- number(rows$decision)
  rows
}
curve <- function(truth, score) roc(truth, score, levels = c(0, 1), direction = "<", quiet = TRUE)
share <- function(analysis, quantity, subject, successes, n, carried = identity) {
  level <- number(setting(analysis, "confidence_level"))
  if (n == 0) return(invisible())
  exact <- carried(binom.test(successes, n, conf.level = level)$conf.int)
  wilson <- carried(suppressWarnings(prop.test(successes, n, conf.level = level, correct = FALSE))$conf.int)
  value <- carried(successes / n)
  put(analysis, quantity, subject, value = value, low = exact[1], high = exact[2], n = n)
  put(analysis, paste0(quantity, ".wilson"), subject, value = value, low = wilson[1], high = wilson[2], n = n)
}

roc_curves <- function(analysis) {
  rows <- scored(analysis)
  if (is.null(rows)) return(invisible())
  level <- number(setting(analysis, "confidence_level"))
  for (subject in subjects(analysis, "auc")) {
    own <- of_subject(rows, subject)
    own <- own[!is.na(own$score), ]
    found <- curve(own$truth, own$score)
    area <- as.numeric(auc(found))
    interval <- as.numeric(ci.auc(found, method = "delong", conf.level = level))
    put(analysis, "auc", subject, value = area, standard_error = sqrt(var(found, method = "delong")), low = interval[1],
        high = interval[3], n = nrow(own))
    put(analysis, "auc.bootstrap", subject, value = area, n = nrow(own))
  }
  for (subject in subjects(analysis, "auc_difference")) {
    reader <- of_subject(rows[!is.na(rows$score), ], subject)
    algorithm <- rows[rows$participant == parts(subject)[["algorithm"]] & !is.na(rows$score), ]
    shared <- intersect(reader$case, algorithm$case)
    one <- algorithm[match(shared, algorithm$case), ]
    other <- reader[match(shared, reader$case), ]
    test <- roc.test(curve(one$truth, one$score), curve(other$truth, other$score), paired = TRUE, method = "delong")
    estimate <- as.numeric(test$estimate[1] - test$estimate[2])
    se <- if (estimate == 0) NA else estimate / as.numeric(test$statistic)
    half <- qnorm(0.5 + level / 2) * se
    put(analysis, "auc_difference", subject, value = estimate, statistic = as.numeric(test$statistic),
        pvalue = test$p.value, standard_error = se, low = estimate - half, high = estimate + half, n = length(shared))
  }
  for (subject in subjects(analysis, "sensitivity")) {
    if (parts(subject)[["rule"]] != "own decision") next
    own <- of_subject(rows[!is.na(rows$score) & !is.na(rows$decision), ], subject)
    share(analysis, "sensitivity", subject, sum(own$truth == 1 & own$decision == 1), sum(own$truth == 1))
    share(analysis, "specificity", subject, sum(own$truth == 0 & own$decision == 0), sum(own$truth == 0))
  }
}

operating_point <- function(analysis) {
  rows <- scored(analysis)
  if (is.null(rows) || setting(analysis, "prevalence") != "") return(invisible())
  threshold <- number(setting(analysis, "threshold"))
  by_score <- is.na(rows$decision) & !is.na(rows$score) & !is.na(threshold)
  rows$decision[by_score] <- as.numeric(rows$score[by_score] >= threshold)
  for (subject in subjects(analysis, "sensitivity")) {
    own <- of_subject(rows, subject)
    # A failed result of an algorithm counts as wrong; that is left to reproduce.py.
    if (any(own$participant_kind == "algorithm" & is.na(own$decision))) next
    own <- own[!is.na(own$decision), ]
    tp <- sum(own$truth == 1 & own$decision == 1)
    tn <- sum(own$truth == 0 & own$decision == 0)
    fp <- sum(own$truth == 0 & own$decision == 1)
    fn <- sum(own$truth == 1 & own$decision == 0)
    share(analysis, "sensitivity", subject, tp, tp + fn)
    share(analysis, "specificity", subject, tn, tn + fp)
    share(analysis, "ppv", subject, tp, tp + fp)
    share(analysis, "npv", subject, tn, tn + fn)
    share(analysis, "accuracy", subject, tp + tn, nrow(own))
    # F1 rises with Jaccard's index, whose interval is carried over.
    share(analysis, "f1", subject, tp, tp + fp + fn, function(j) 2 * j / (1 + j))
  }
}

# ---------------------------------------------------------------- multi-reader multi-case

area_of <- function(score, truth) {
  known <- !is.na(score)
  positive <- score[known & truth == 1]
  negative <- score[known & truth == 0]
  mean(outer(positive, negative, ">") + outer(positive, negative, "==") / 2)
}

# Estimates (conditions x readers) and the jackknife covariance of the cells: one case left out of all cells at once.
cells_of <- function(rows) {
  conditions <- sort(unique(rows$condition))
  readers <- sort(unique(rows$participant))
  cases <- unique(rows$case)
  truth <- rows$truth[match(cases, rows$case)]
  cells <- expand.grid(reader = readers, condition = conditions, stringsAsFactors = FALSE)
  scores <- t(mapply(function(reader, condition) {
    own <- rows[rows$participant == reader & rows$condition == condition, ]
    own$score[match(cases, own$case)]
  }, cells$reader, cells$condition))
  estimate <- apply(scores, 1, area_of, truth)
  without <- sapply(seq_along(cases), function(k) apply(scores[, -k, drop = FALSE], 1, area_of, truth[-k]))
  centred <- without - rowMeans(without)
  k <- length(cases)
  list(cells = cells, estimate = estimate, conditions = conditions, readers = readers,
       covariance = (k - 1) / k * centred %*% t(centred), cases = cases)
}

obuchowski_rockette <- function(found, level) {
  r <- length(found$readers)
  t <- length(found$conditions)
  V <- found$covariance
  same_reader <- outer(found$cells$reader, found$cells$reader, "==")
  same_condition <- outer(found$cells$condition, found$cells$condition, "==")
  cov2 <- mean(V[same_condition & !same_reader])
  cov3 <- mean(V[!same_condition & !same_reader])
  A <- matrix(found$estimate, r, t, dimnames = list(found$readers, found$conditions))
  residual <- A - outer(rowMeans(A), colMeans(A), "+") + mean(A)
  ms_condition <- r * sum((colMeans(A) - mean(A))^2) / (t - 1)
  ms_both <- sum(residual^2) / ((t - 1) * (r - 1))
  D <- ms_both + r * max(cov2 - cov3, 0)
  df <- D^2 / (ms_both^2 / ((t - 1) * (r - 1)))
  differences <- function(first, second) {
    estimate <- mean(A[, first]) - mean(A[, second])
    se <- sqrt(2 * D / r)
    half <- qt(0.5 + level / 2, df) * se
    list(value = estimate, standard_error = se, df = df, statistic = estimate / se,
         pvalue = 2 * pt(-abs(estimate / se), df), low = estimate - half, high = estimate + half)
  }
  means <- function(condition) {
    own <- found$cells$condition == condition
    block <- V[own, own]
    ms_reader <- var(A[, condition])
    total <- ms_reader + r * max(mean(block[row(block) != col(block)]), 0)
    df <- total^2 / (ms_reader^2 / (r - 1))
    half <- qt(0.5 + level / 2, df) * sqrt(total / r)
    list(value = mean(A[, condition]), standard_error = sqrt(total / r), df = df,
         low = max(0, mean(A[, condition]) - half), high = min(1, mean(A[, condition]) + half))
  }
  list(A = A, differences = differences, means = means, statistic = ms_condition / D, df = c(t - 1, df),
       pvalue = pf(ms_condition / D, t - 1, df, lower.tail = FALSE))
}

# Mean over readers of each condition by period: last minus first.
periods <- function(analysis, read) {
  if (!"period" %in% names(read) || length(unique(read$period)) < 2) return(invisible())
  ends <- range(number(read$period))
  mean_area <- function(condition, period) {
    own <- read[read$condition == condition & number(read$period) == period, ]
    mean(vapply(unique(read$participant), function(reader) {
      mine <- own[own$participant == reader, ]
      area_of(mine$score, mine$truth)
    }, numeric(1)))
  }
  conditions <- sub("^condition=", "", subjects(analysis, "period_effect"))
  effect <- vapply(conditions, function(one) mean_area(one, ends[2]) - mean_area(one, ends[1]), numeric(1))
  for (i in seq_along(conditions)) {
    put(analysis, "period_effect", paste0("condition=", conditions[i]), value = effect[i], n = nrow(read))
  }
  if (length(effect) == 2) {
    put(analysis, "condition_period_interaction", "", value = effect[1] - effect[2], n = nrow(read))
  }
}

# The readers of one condition against a fixed algorithm on the same cases: single-test Obuchowski-Rockette on the
# readers' differences.
readers_minus_algorithm <- function(analysis, everything, read, level) {
  for (subject in subjects(analysis, "readers_minus_algorithm")) {
    which <- parts(subject)
    algorithm <- everything[everything$participant == which[["algorithm"]], ]
    if (anyNA(algorithm$score)) next # failed results count as wrong: left to reproduce.py
    rows <- if ("condition" %in% names(which)) read[read$condition == which[["condition"]], ] else read
    rows <- rows[rows$case %in% algorithm$case, ]
    cases <- unique(rows$case)
    truth <- rows$truth[match(cases, rows$case)]
    theirs <- algorithm$score[match(cases, algorithm$case)]
    readers <- unique(rows$participant)
    difference <- function(kept) {
      vapply(readers, function(reader) {
        own <- rows[rows$participant == reader, ]
        score <- own$score[match(cases, own$case)]
        on_same <- ifelse(is.na(score), NA, theirs)
        area_of(score[kept], truth[kept]) - area_of(on_same[kept], truth[kept])
      }, numeric(1))
    }
    found <- difference(seq_along(cases))
    without <- sapply(seq_along(cases), function(k) difference(seq_along(cases)[-k]))
    k <- length(cases)
    r <- length(readers)
    centred <- without - rowMeans(without)
    V <- (k - 1) / k * centred %*% t(centred)
    total <- var(found) + r * max(mean(V[row(V) != col(V)]), 0)
    df <- total^2 / (var(found)^2 / (r - 1))
    se <- sqrt(total / r)
    half <- qt(0.5 + level / 2, df) * se
    put(analysis, "readers_minus_algorithm", subject, value = mean(found), standard_error = se, df = df,
        statistic = mean(found) / se, pvalue = 2 * pt(-abs(mean(found) / se), df), low = mean(found) - half,
        high = mean(found) + half, n = r)
  }
}

mrmc <- function(analysis) {
  everything <- scored(analysis)
  if (is.null(everything) || setting(analysis, "metric") != "auc" || setting(analysis, "covariance") != "jackknife" ||
        setting(analysis, "readers") != "random" || setting(analysis, "cases") != "random") return(invisible())
  rows <- everything[everything$participant_kind != "algorithm", ]
  read <- rows[!is.na(rows$score), ]
  level <- number(setting(analysis, "confidence_level"))
  found <- cells_of(read)
  # Readers nested in conditions, and a single reader or condition, have other formulas.
  if (anyNA(found$estimate) || length(found$readers) < 2 || length(found$conditions) < 2) return(invisible())
  fit <- obuchowski_rockette(found, level)
  z <- qnorm(0.5 + level / 2)
  for (condition in found$conditions) {
    do.call(put, c(list(analysis, "condition_mean", paste0("condition=", condition)), fit$means(condition)))
  }
  for (i in seq_len(nrow(found$cells))) {
    cell <- found$cells[i, ]
    own <- read[read$participant == cell$reader & read$condition == cell$condition, ]
    area <- as.numeric(auc(curve(own$truth, own$score)))
    se <- sqrt(found$covariance[i, i])
    put(analysis, "auc", paste0("participant=", cell$reader, ";condition=", cell$condition), value = area,
        standard_error = se, low = max(0, area - z * se), high = min(1, area + z * se), n = nrow(own))
  }
  put(analysis, "equality", "", value = fit$statistic, statistic = fit$statistic, df.1 = fit$df[1], df.2 = fit$df[2],
      pvalue = fit$pvalue)
  for (subject in subjects(analysis, "difference")) {
    do.call(put, c(list(analysis, "difference", subject), do.call(fit$differences, as.list(unname(parts(subject))))))
  }
  for (subject in subjects(analysis, "reader_difference")) {
    which <- parts(subject)
    V <- found$covariance[found$cells$reader == which[["participant"]], found$cells$reader == which[["participant"]]]
    se <- sqrt(2 * (mean(diag(V)) - mean(V[row(V) != col(V)])))
    estimate <- fit$A[which[["participant"]], which[["first"]]] - fit$A[which[["participant"]], which[["second"]]]
    put(analysis, "reader_difference", subject, value = estimate, standard_error = se, statistic = estimate / se,
        pvalue = 2 * pnorm(-abs(estimate / se)), low = estimate - z * se, high = estimate + z * se)
  }
  # Readings that could not be assessed as wrong answers.
  if (anyNA(rows$score)) {
    known <- range(read$score)
    span <- if (diff(known) > 0) diff(known) else 1
    wrong <- ifelse(rows$truth == 1, known[1] - span, known[2] + span)
    rows$score <- ifelse(is.na(rows$score), wrong, rows$score)
    filled <- obuchowski_rockette(cells_of(rows), level)
    for (subject in subjects(analysis, "difference.missing_as_wrong")) {
      do.call(put, c(list(analysis, "difference.missing_as_wrong", subject),
                     do.call(filled$differences, as.list(unname(parts(subject))))))
    }
  }
  periods(analysis, read)
  readers_minus_algorithm(analysis, everything, read, level)
  # The same by MRMCaov, where it is installed (install.packages("MRMCaov")):
  # library(MRMCaov)
  # print(summary(mrmc(empirical_auc(truth, score), participant, condition, case, data = read, cov = jackknife)))
}

# ---------------------------------------------------------------- survival

# Cox models of the continuous measurement and per doubling, Harrell's C with its infinitesimal jackknife, Kaplan-Meier
# medians and the log-rank test by groups, measurements split strictly above their median.
survival_times <- function(analysis) {
  rows <- read_table(inputs$file[inputs$analysis == analysis & inputs$table == "survival"])
  divisor <- number(setting(analysis, "time_divisor"))
  limit <- number(setting(analysis, "censor_after"))
  level <- number(setting(analysis, "confidence_level"))
  rows$time <- number(rows$time) / divisor
  rows$event <- number(rows$event)
  if (!is.na(limit)) {
    late <- !is.na(rows$time) & rows$time > limit
    rows$event[late] <- 0
    rows$time[late] <- limit
  }
  followed <- survival::Surv(rows$time, rows$event)
  known <- !is.na(rows$time) & !is.na(rows$event)
  z <- qnorm(0.5 + level / 2)
  for (subject in subjects(analysis, "hazard_ratio")) {
    which <- parts(subject)
    x <- number(rows[[which[["measurement"]]]])
    if (which[["scale"]] == "per doubling") x <- log2(x)
    model <- survival::coxph(followed ~ x, ties = setting(analysis, "ties"))
    se <- sqrt(model$var[1, 1])
    beta <- unname(coef(model))
    put(analysis, "hazard_ratio", subject, value = exp(beta), low = exp(beta - z * se), high = exp(beta + z * se),
        standard_error = se, statistic = beta / se, pvalue = 2 * pnorm(-abs(beta / se)), n = model$n)
  }
  for (subject in subjects(analysis, "c_index")) {
    x <- number(rows[[parts(subject)[["measurement"]]]])
    found <- survival::concordance(followed ~ x, reverse = TRUE)
    se <- sqrt(found$var)
    put(analysis, "c_index", subject, value = found$concordance, standard_error = se,
        low = max(0, found$concordance - z * se), high = min(1, found$concordance + z * se), n = sum(known & !is.na(x)))
  }
  for (subject in subjects(analysis, "log_rank")) {
    name <- parts(subject)[["groups"]]
    if (name == setting(analysis, "group")) {
      group <- ifelse(rows[[name]] == "", NA, rows[[name]])
    } else {
      x <- number(rows[[name]])
      group <- ifelse(x > median(x, na.rm = TRUE), "high", "low")
    }
    test <- survival::survdiff(followed ~ group)
    df <- length(test$n) - 1
    put(analysis, "log_rank", subject, value = test$chisq, statistic = test$chisq, df = df,
        pvalue = pchisq(test$chisq, df, lower.tail = FALSE), n = sum(known & !is.na(group)))
    for (one in unique(group[known & !is.na(group)])) {
      own <- survival::survfit(survival::Surv(rows$time[group %in% one], rows$event[group %in% one]) ~ 1,
                               conf.type = setting(analysis, "interval"), conf.int = level)
      told <- quantile(own, 0.5)
      reached <- function(value) if (is.na(value)) NA else unname(value)
      put(analysis, "median_survival", paste0("groups=", name, ";group=", one), value = reached(told$quantile),
          low = reached(told$lower), high = reached(told$upper), n = sum(own$n))
    }
  }
}

# ---------------------------------------------------------------- run and compare

analyses <- unique(reported$analysis)
computed_by <- list(preference = preference, "reading-time" = reading_time, roc = roc_curves,
                    "operating-point" = operating_point, mrmc = mrmc)
for (name in intersect(names(computed_by), analyses)) computed_by[[name]](name)
# Of a part of the readings alone, where the analysis has the parameters of the one of all.
parameters_of <- function(analysis) {
  own <- parameters[parameters$analysis == analysis & parameters$parameter != "analysis_set", ]
  setNames(own$value, own$parameter)
}
for (analysis in intersect(analyses, unique(parts_of_readings$analysis))) {
  name <- inputs$name[match(analysis, inputs$analysis)]
  as_of_all <- !name %in% analyses || identical(parameters_of(analysis), parameters_of(name))
  if (name %in% names(computed_by) && as_of_all) {
    computed_by[[name]](analysis)
  }
}
if (requireNamespace("survival", quietly = TRUE)) {
  for (analysis in unique(inputs$analysis[inputs$name == "survival"])) survival_times(analysis)
}

is_computed <- !is.na(reported$computed) & !is.na(reported$value)
off <- abs(reported$computed - reported$value) > tolerance * pmax(1, abs(reported$value))
differs <- is_computed & off
for (analysis in analyses) {
  own <- reported$analysis == analysis
  cat(sprintf("%s: %d of %d values computed, %s\n", analysis, sum(own & is_computed), sum(own),
              if (any(own & differs)) paste(sum(own & differs), "differ") else "equal"))
}
for (i in which(differs)) {
  cat(sprintf("  %s %s %s, %s: reported %.9g, computed %.9g\n", reported$analysis[i], reported$quantity[i],
              reported$subject[i], reported$field[i], reported$value[i], reported$computed[i]))
}
left <- unique(paste(reported$analysis, reported$quantity)[!is_computed])
left <- setdiff(left, unique(paste(reported$analysis, reported$quantity)[is_computed]))
if (length(left)) cat("Not computed here, but by reproduce.py:", paste(left, collapse = ", "), "\n")
if (!any(is_computed)) cat("No analysis of this bundle is computed here.\n")
quit(status = if (any(differs)) 1 else 0)
