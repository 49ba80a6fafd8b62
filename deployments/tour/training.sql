-- The irises in the order of scikit-learn's load_iris, which id keeps, so that
-- the seed holds out the same flowers as in the article.

SELECT
    sepal_length,
    sepal_width,
    petal_length,
    petal_width,
    species
FROM iris
ORDER BY id
